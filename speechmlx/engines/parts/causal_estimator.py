"""The network of CosyVoice 2's flow: the direction from noise to a mel spectrogram. A U-net without levels, causal."""

from __future__ import annotations

import math

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.tensors import Tensors, gelu, mish


class CausalEstimator:
    """Residual blocks of causal convolutions, each with transformers after it. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, heads: int, chunk: int) -> None:
        """`chunk`: frames of a chunk."""
        self._tensors, self._heads, self._chunk = tensors, heads, chunk

    @property
    def remembered(self) -> int:
        """Numbers that a frame has in keys and values."""
        mids = [f"mid_blocks.{number}" for number in range(self._tensors.count("mid_blocks"))]
        lists = [f"{name}.1" for name in ("down_blocks.0", *mids, "up_blocks.0")]
        width = len(self._tensors["down_blocks.0.1.0.attn1.to_k.weight"])
        return 2 * width * sum(self._tensors.count(name) for name in lists)

    def __call__(self, x: mx.array, time: mx.array, chunked: bool = True, past: ChunkPast | None = None) -> mx.array:
        """x [b, t, c]: the spectrogram so far, then its conditions; time [b] from 0 to 1 → direction [b, t, bands].

        `chunked`: a frame sees its own chunk and those before it. `past`: of the frames before, at the same time.
        """
        tensors, chunk, past = self._tensors, self._chunk if chunked else 0, past or ChunkPast()
        embedded = embedded_time(tensors, time, x.shape[-1])
        x = skip = self._block("down_blocks.0", x, embedded, chunk, past)
        x = past.conv(tensors, "down_blocks.0.2", x)
        for number in range(tensors.count("mid_blocks")):
            x = self._block(f"mid_blocks.{number}", x, embedded, chunk, past)
        x = self._block("up_blocks.0", mx.concatenate([x, skip], axis=-1), embedded, chunk, past)
        x = _convolved(tensors.under("final_block"), past.conv(tensors, "up_blocks.0.2", x), past)
        return tensors.conv("final_proj", x)

    def _block(self, name: str, x: mx.array, embedded: mx.array, chunk: int, past: ChunkPast) -> mx.array:
        block = self._tensors.under(f"{name}.0")
        y = _convolved(block.under("block1"), x, past) + block.linear("mlp.1", embedded)
        x = _convolved(block.under("block2"), y, past) + block.conv("res_conv", x)
        for number in range(self._tensors.count(f"{name}.1")):
            x = transformed(self._tensors.under(f"{name}.1.{number}"), x, self._heads, chunk, past)
        return x


def _convolved(tensors: Tensors, x: mx.array, past: ChunkPast) -> mx.array:
    """A causal convolution, a normalisation and Mish."""
    return mish(tensors.norm("block.2", past.conv(tensors, "block.0", x)))


def transformed(tensors: Tensors, x: mx.array, heads: int, chunk: int = 0, past: ChunkPast | None = None) -> mx.array:
    """A transformer of a U-net: x [b, t, c] → [b, t, c]. `chunk`: frames of a chunk; 0: every frame sees all.

    `past`: of the frames before.
    """
    normal = tensors.norm("norm1", x)
    queries, keys, values = (in_heads(tensors.linear(f"attn1.to_{name}", normal), heads) for name in "qkv")
    keys, values = past.attended(keys, values) if past else (keys, values)
    x = x + tensors.linear("attn1.to_out.0", joined(attend(queries, keys, values, chunk)))
    inner = tensors.linear("ff.net.0.proj", tensors.norm("norm3", x))
    return x + tensors.linear("ff.net.2", gelu(inner))


def embedded_time(tensors: Tensors, time: mx.array, width: int) -> mx.array:
    """time [b] from 0 to 1 → what the blocks of a U-net add to its frames, before a layer of each [b, 1, c]."""
    inner = tensors.linear("time_mlp.linear_1", time_places(time, width))
    return mish(tensors.linear("time_mlp.linear_2", inner * mx.sigmoid(inner)))[:, None]


def time_places(time: mx.array, width: int) -> mx.array:
    """time [b] → [b, width]: sines, then cosines, of a thousand times the time at geometric rates."""
    half = width // 2
    rates = mx.exp(mx.arange(half) * (-math.log(10_000) / (half - 1)))
    angles = 1000 * time[:, None] * rates
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=-1)
