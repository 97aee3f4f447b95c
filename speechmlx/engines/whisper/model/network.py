"""Whisper's network: an encoder for windows of up to 30 s, and a decoder without state of its own.

Parameter names and layouts are mlx-whisper's, so that its folders load unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx
import mlx.nn as nn


@dataclass(frozen=True)
class Dims:
    """Sizes of a model, under the names of its config.json."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int


TIMESTAMPS = 1501
"""The last tokens of the vocabulary: 0 to 30 s in steps of 20 ms."""


@dataclass(frozen=True)
class Kernels:
    """The operations that are implemented differently per device."""

    gelu: Callable[[mx.array], mx.array]
    attend: Callable[..., mx.array]
    """(q [b, h, t, d], k and v [b, h, n, d], scale, additive mask or None) → [b, h, t, d]"""
    logsumexp: Callable[[mx.array], mx.array]
    """Over the last axis, which is kept with size 1."""
    compiles: bool = False
    """Whether to fuse chains of small operations by `mx.compile`: a CPU would have each built by a C++ compiler."""
    pipelined: bool = False
    """Whether the step under way holds what it reads, so that a step launched meanwhile must write elsewhere."""


def _attend(q: mx.array, k: mx.array, v: mx.array, scale: float, mask: mx.array | None = None) -> mx.array:
    return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)


GPU = Kernels(nn.gelu, _attend, lambda x: mx.logsumexp(x, axis=-1, keepdims=True), compiles=True, pipelined=True)


def cpu_kernels() -> Kernels:
    from speechmlx.engines import cpu  # imported only on a CPU

    return Kernels(cpu.gelu, cpu.attend, cpu.logsumexp)


class KVCache(Protocol):
    """Keeps the keys and values of the decoder's own tokens between calls."""

    def update(self, layer: int, k: mx.array, v: mx.array) -> tuple[mx.array, mx.array]:
        """Add k and v [b, h, t, d] of new tokens. Returns all keys and values that the new tokens may attend to."""


Pair = tuple[mx.array, mx.array]
"""Keys and values [b, h, n, d]."""


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, kernels: Kernels) -> None:
        super().__init__()
        self._heads = heads
        self._kernels = kernels
        self._scale = (width // heads) ** -0.5
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, x: mx.array) -> mx.array:
        return x.reshape(*x.shape[:2], self._heads, -1).transpose(0, 2, 1, 3)

    def keys_values(self, x: mx.array) -> Pair:
        return self.split(self.key(x)), self.split(self.value(x))

    def __call__(self, x: mx.array, pair: Pair, mask: mx.array | None = None) -> mx.array:
        return self.attend(self.queries(x), pair, mask)

    def queries(self, x: mx.array) -> mx.array:
        """[b, h, t, d]"""
        return self.split(self.query(x))

    def attend(self, queries: mx.array, pair: Pair, mask: mx.array | None = None) -> mx.array:
        y = self._kernels.attend(queries, *pair, self._scale, mask).transpose(0, 2, 1, 3)
        return self.out(y.reshape(*y.shape[:2], -1))

    def scores(self, queries: mx.array, keys: mx.array, heads: list[int]) -> mx.array:
        """Attention scores of `heads` before the softmax, float32 [b, heads, t, n]."""
        chosen = mx.array(heads)
        keys = keys[:, chosen].transpose(0, 1, 3, 2)
        return ((queries[:, chosen] * self._scale) @ keys).astype(mx.float32)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, kernels: Kernels, crosses: bool) -> None:
        super().__init__()
        self._kernels = kernels
        self.attn = Attention(width, heads, kernels)
        self.attn_ln = nn.LayerNorm(width)
        if crosses:
            self.cross_attn = Attention(width, heads, kernels)
            self.cross_attn_ln = nn.LayerNorm(width)
        self.mlp1 = nn.Linear(width, 4 * width)
        self.mlp2 = nn.Linear(4 * width, width)
        self.mlp_ln = nn.LayerNorm(width)

    def feed_forward(self, x: mx.array) -> mx.array:
        return x + self.mlp2(self._kernels.gelu(self.mlp1(self.mlp_ln(x))))


def sinusoids(length: int, width: int) -> mx.array:
    """Positional embedding [length, width]: sines then cosines of wavelengths from 2π to 20000π."""
    scale = mx.exp(-math.log(10_000) / (width // 2 - 1) * mx.arange(width // 2))
    angle = mx.arange(length)[:, None] * scale[None]
    return mx.concatenate([mx.sin(angle), mx.cos(angle)], axis=1)


def _convolve(conv: nn.Conv1d, x: mx.array, stride: int) -> mx.array:
    """A convolution of x [b, t, c] with width 3 and padding 1, as one matrix product: fast on every backend."""
    padded = mx.pad(x, [(0, 0), (1, 1), (0, 0)])
    taps = [padded[:, tap : tap + x.shape[1] : stride] for tap in range(3)]
    return mx.concatenate(taps, axis=-1) @ conv.weight.reshape(conv.weight.shape[0], -1).T + conv.bias


class AudioEncoder(nn.Module):
    """mel [b, 2n, n_mels] → [b, n <= 1500, width]. To do it in pieces, call `start`, `block` per block, `ln_post`."""

    def __init__(self, dims: Dims, kernels: Kernels) -> None:
        super().__init__()
        width = dims.n_audio_state
        self._kernels = kernels
        self.conv1 = nn.Conv1d(dims.n_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self._positions = sinusoids(dims.n_audio_ctx, width)
        self.blocks = [Block(width, dims.n_audio_head, kernels, crosses=False) for _ in range(dims.n_audio_layer)]
        self.ln_post = nn.LayerNorm(width)

    def start(self, mel: mx.array) -> mx.array:
        x = self._kernels.gelu(_convolve(self.conv1, mel, 1))
        x = self._kernels.gelu(_convolve(self.conv2, x, 2))
        return x + self._positions[: x.shape[1]].astype(x.dtype)

    def block(self, index: int, x: mx.array) -> mx.array:
        block = self.blocks[index]
        y = block.attn_ln(x)
        x = x + block.attn(y, block.attn.keys_values(y))
        return block.feed_forward(x)

    def __call__(self, mel: mx.array) -> mx.array:
        x = self.start(mel)
        for index in range(len(self.blocks)):
            x = self.block(index, x)
        return self.ln_post(x)


class TextDecoder(nn.Module):
    """tokens [b, t] and encoded audio → hidden states [b, t, width] and logits."""

    def __init__(self, dims: Dims, kernels: Kernels) -> None:
        super().__init__()
        width = dims.n_text_state
        self.token_embedding = nn.Embedding(dims.n_vocab, width)
        self.positional_embedding = mx.zeros((dims.n_text_ctx, width))
        self.blocks = [Block(width, dims.n_text_head, kernels, crosses=True) for _ in range(dims.n_text_layer)]
        self.ln = nn.LayerNorm(width)
        self._timestamps: mx.array | None = None
        """Embeddings of the timestamps, float32 [width, TIMESTAMPS], once a narrow network has needed them."""

    def __call__(
        self,
        tokens: mx.array,
        positions: mx.array,
        cache: KVCache,
        cross: Sequence[Pair],
        mask: mx.array | None,
        cross_mask: mx.array | None = None,
        look: dict[int, list[int]] | None = None,
    ) -> tuple[mx.array, list[mx.array]]:
        """Hidden states [b, t, width] of `tokens` [b, t] at `positions` [b, t].

        `cross` holds each layer's keys and values of the audio: a row per row of `tokens`, or fewer rows, which
        consecutive rows of `tokens` share (then t = 1). `cross_mask` [b, 1, 1, n] is added where audio differs in
        length. `look` maps layers to heads: their attention scores over the audio, [b, heads, t, n] before the softmax,
        are returned too, in order of layer.
        """
        x = self.token_embedding(tokens) + self.positional_embedding[positions]
        looked = []
        for index, block in enumerate(self.blocks):
            y = block.attn_ln(x)
            x = x + block.attn(y, cache.update(index, *block.attn.keys_values(y)), mask)
            y = block.cross_attn_ln(x).reshape(cross[index][0].shape[0], -1, x.shape[-1])
            queries = block.cross_attn.queries(y)
            x = x + block.cross_attn.attend(queries, cross[index], cross_mask).reshape(x.shape)
            if look and index in look:
                looked.append(block.cross_attn.scores(queries, cross[index][0], look[index]))
            x = block.feed_forward(x)
        return self.ln(x), looked

    def logits(self, hidden: mx.array) -> mx.array:
        """float32 logits [..., n_vocab] of hidden states [..., width].

        Those of timestamps are products of float32 whatever the type of the weights: neighbours differ by less than
        float16 rounds. Without that, tiny.en put two timestamps of a clip of 11 s 0.2 s elsewhere than in float32, and
        with the encoder in float32 too (float16 with float32 sums as on Metal, on MLX's CPU backend; Metal itself is
        unmeasured).
        """
        found = self.token_embedding.as_linear(hidden).astype(mx.float32)
        if hidden.dtype == mx.float32:
            return found
        if self._timestamps is None:
            rows = self.token_embedding(mx.arange(found.shape[-1] - TIMESTAMPS, found.shape[-1])).astype(mx.float32)
            self._timestamps = mx.contiguous(rows.T)
        exact = hidden.astype(mx.float32) @ self._timestamps
        return mx.concatenate([found[..., :-TIMESTAMPS], exact], axis=-1)


class Network(nn.Module):
    def __init__(self, dims: Dims, kernels: Kernels) -> None:
        super().__init__()
        self._dims = dims
        self._kernels = kernels
        self.encoder = AudioEncoder(dims, kernels)
        self.decoder = TextDecoder(dims, kernels)

    @property
    def dims(self) -> Dims:
        return self._dims

    @property
    def dtype(self) -> mx.Dtype:
        return self.decoder.positional_embedding.dtype

    @property
    def kernels(self) -> Kernels:
        return self._kernels

    def cross(self, encoded: mx.array, layers: slice = slice(None)) -> list[Pair]:
        """Each decoder layer's keys and values [b, h, n, d] of encoded audio [b, n, width], which every step uses.

        `layers`: which of the decoder's layers, by default all.

        They are contiguous per head: otherwise MLX copies them into that order at every step.
        """
        pairs = [block.cross_attn.keys_values(encoded) for block in self.decoder.blocks[layers]]
        return [(mx.contiguous(k), mx.contiguous(v)) for k, v in pairs]
