"""The two transformers of FishSpeech, with the checkpoint's names of weights.

The slow one reads text and frames, and gives the state that a frame's first code is drawn from. The fast one goes on
from that state to the frame's other codes.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.fishspeech.drawing import FishDraw, draw
from speechmlx.engines.fishspeech.shape import DualArShape
from speechmlx.engines.parts.activations import swiglu
from speechmlx.engines.parts.joined import added
from speechmlx.engines.parts.kv_rows import FramePast, KeyValueRows, Remember
from speechmlx.engines.parts.layer_stack import StackShape, read_rows, step_rows
from speechmlx.engines.parts.rotary import Turn


@dataclass(frozen=True)
class FrameTokens:
    """Where a vocabulary has what the model says."""

    semantic: int
    """The token of code 0 of the first codebook; those of the other codes follow."""
    end: int
    """The token that ends a turn."""


class DualArAttention(nn.Module):
    """Grouped attention with rotary positions of neighbouring pairs."""

    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.wqkv = nn.Linear(shape.hidden, (shape.heads + 2 * shape.kv_heads) * shape.head, bias=False)
        self.wo = nn.Linear(shape.heads * shape.head, shape.hidden, bias=False)
        self._shape = shape

    def __call__(self, x: mx.array, remember: Remember, turn: Turn, mask: mx.array | str | None) -> mx.array:
        """x [B, L, hidden], whose positions `turn` knows → what wo reads [B, L, heads * width]."""
        shape, (batch, length, _) = self._shape, x.shape
        found = self.wqkv(x).reshape(batch, length, -1, shape.head).swapaxes(1, 2)
        turning = shape.heads + shape.kv_heads
        turned = turn(found[:, :turning])
        keys, values = remember(turned[:, shape.heads :], found[:, turning:])
        y = mx.fast.scaled_dot_product_attention(
            turned[:, : shape.heads], keys, values, scale=shape.head**-0.5, mask=mask
        )
        return y.swapaxes(1, 2).reshape(batch, length, -1)


class DualArFeedForward(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.w1 = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.w3 = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.w2 = nn.Linear(shape.inner, shape.hidden, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """x [B, L, hidden] → what w2 reads [B, L, inner]."""
        return swiglu(self.w1(x), self.w3(x))


class DualArLayer(nn.Module):
    def __init__(self, shape: StackShape) -> None:
        super().__init__()
        self.attention = DualArAttention(shape)
        self.feed_forward = DualArFeedForward(shape)
        self.attention_norm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.ffn_norm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)

    def __call__(self, x: mx.array, remember: Remember, turn: Turn, mask: mx.array | str | None) -> mx.array:
        """x [B, L, hidden], whose positions `turn` knows → the same shape."""
        x = added(x, self.attention.wo, self.attention(self.attention_norm(x), remember, turn, mask))
        return added(x, self.feed_forward.w2, self.feed_forward(self.ffn_norm(x)))


class DualAr(nn.Module):
    """Both transformers. Of the logits it computes those that may be drawn: of the codes, and of the turn's end."""

    def __init__(self, shape: DualArShape, tokens: FrameTokens) -> None:
        super().__init__()
        hidden = shape.slow.hidden
        self.embeddings = nn.Embedding(shape.vocabulary, hidden)
        self.codebook_embeddings = nn.Embedding(shape.codes * shape.codebooks, hidden)
        self.layers = [DualArLayer(shape.slow) for _ in range(shape.slow.layers)]
        self.norm = nn.RMSNorm(hidden, eps=shape.slow.epsilon)
        self.output = nn.Linear(hidden, shape.codes + 1, bias=False)
        self.fast_embeddings = nn.Embedding(shape.codes, hidden)
        self.fast_layers = [DualArLayer(shape.fast) for _ in range(shape.fast.layers)]
        self.fast_norm = nn.RMSNorm(hidden, eps=shape.fast.epsilon)
        self.fast_output = nn.Linear(hidden, shape.codes, bias=False)
        self._shape, self._tokens = shape, tokens
        self._places = np.arange(shape.codebooks, dtype=np.int32) * shape.codes

    def embed(self, prompt: NDArray[np.int32]) -> mx.array:
        """Input rows [n, hidden] of a prompt [1 + codebooks, n]: tokens, and beneath those of frames their codes."""
        tokens = mx.array(prompt[0])
        codes = self.codebook_embeddings(mx.array(prompt[1:].T + self._places)).sum(axis=1)
        first = self._tokens.semantic
        is_frame = (tokens >= first) & (tokens < first + self._shape.codes)
        rows: mx.array = self.embeddings(tokens) + mx.where(is_frame[:, None], codes, 0)
        return rows

    def frames(self, codes: mx.array) -> mx.array:
        """Codes of a frame [B, codebooks] → its input rows [B, hidden]."""
        beneath = self.codebook_embeddings(codes + mx.array(self._places)).sum(axis=1)
        rows: mx.array = self.embeddings(codes[:, 0] + self._tokens.semantic) + beneath
        return rows

    def read(self, rows: mx.array, memory: KeyValueRows, row: int, at: int) -> mx.array:
        """Read a piece of a prompt [n, hidden], which begins at position `at` → the state of its end [1, hidden]."""
        return read_rows(self._shape.slow, self.layers, rows, memory, row, at)

    def step(self, x: mx.array, memory: KeyValueRows, lengths: NDArray[np.int32]) -> mx.array:
        """One position of each row: inputs [rows, hidden] behind `lengths` [rows] → the states [rows, hidden]."""
        return step_rows(self._shape.slow, self.layers, x, memory, lengths)

    def logits(self, state: mx.array) -> mx.array:
        """States [B, hidden] → float32 [B, codes + 1] of the next first code; the last one is the turn's end."""
        scores: mx.array = self.output(self.norm(state)).astype(mx.float32)
        return scores

    def complete(
        self, state: mx.array, first: mx.array, window: mx.array, how: FishDraw, chance: mx.array
    ) -> tuple[mx.array, mx.array]:
        """The other codes of a frame, int32 [B, codebooks - 1], and whether all logits were finite [B].

        `state` [B, hidden] that `first`, int32 [B], was drawn from; `window` [B, codebooks, n]: the last frames' codes;
        `chance` [B, codebooks - 1].
        """
        past = [FramePast(self._shape.codebooks) for _ in self.fast_layers]
        x, at = mx.stack([state, self.fast_embeddings(first)], axis=1), 0
        codes, good = list[mx.array](), mx.ones(len(first), mx.bool_)
        for book in range(1, self._shape.codebooks):
            mask, turn = "causal" if x.shape[1] > 1 else None, self._shape.fast.turn(at, x.shape[1])
            y = x
            for layer, before in zip(self.fast_layers, past, strict=True):
                y = layer(y, before.add, turn, mask)
            logits = self.fast_output(self.fast_norm(y[:, -1])).astype(mx.float32)
            at += x.shape[1]
            code = draw(logits, window[:, book], how, chance[:, book - 1])
            good = good & mx.isfinite(logits).all(axis=-1)
            x = self.fast_embeddings(code)[:, None]
            codes.append(code)
        return mx.stack(codes, axis=1), good
