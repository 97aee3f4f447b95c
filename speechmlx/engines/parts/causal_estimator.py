"""The network of CosyVoice 2's flow: the direction from noise to a mel spectrogram. A U-net without levels, causal."""

from __future__ import annotations

import math
from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.pace import Layer, applied, framed, same
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
        return applied(self.layers(time, chunked, past), x)

    def layers(self, time: mx.array, chunked: bool = True, past: ChunkPast | None = None) -> list[Layer]:
        """One after another they do the same as a call."""
        tensors, past, skipped = self._tensors, past or ChunkPast(), list[mx.array]()
        block = partial(self._block, embedded_time(tensors, time), self._chunk if chunked else 0, past)

        def lowered(x: mx.array) -> mx.array:
            skipped.append(x)
            return past.conv(tensors, "down_blocks.0.2", x)

        def ended(x: mx.array) -> mx.array:
            x = _convolved(tensors.under("final_block"), past.conv(tensors, "up_blocks.0.2", x), past)
            return tensors.conv("final_proj", x)

        return [
            *framed(same, block("down_blocks.0"), lowered),
            *(layer for number in range(tensors.count("mid_blocks")) for layer in block(f"mid_blocks.{number}")),
            *framed(lambda x: mx.concatenate([x, skipped.pop()], axis=-1), block("up_blocks.0"), ended),
        ]

    def _block(self, embedded: mx.array, chunk: int, past: ChunkPast, name: str) -> list[Layer]:
        """The transformers of a block, the first of them behind the convolutions."""
        block = self._tensors.under(f"{name}.0")

        def convolved(x: mx.array) -> mx.array:
            y = _convolved(block.under("block1"), x, past) + block.linear("mlp.1", embedded)
            return _convolved(block.under("block2"), y, past) + block.conv("res_conv", x)

        return framed(convolved, transformers(self._tensors, name, self._heads, chunk, past), same)


def _convolved(tensors: Tensors, x: mx.array, past: ChunkPast) -> mx.array:
    """A causal convolution, a normalisation and Mish."""
    return mish(tensors.norm("block.2", past.conv(tensors, "block.0", x)))


def transformers(tensors: Tensors, name: str, heads: int, chunk: int = 0, past: ChunkPast | None = None) -> list[Layer]:
    """Those of a block of a U-net, each x [b, t, c] → [b, t, c]. `chunk`: frames of a chunk; 0: every frame sees all.

    `past`: of the frames before.
    """
    parts = [tensors.under(f"{name}.1.{number}") for number in range(tensors.count(f"{name}.1"))]
    return [partial(_transformed, part, heads, chunk, past) for part in parts]


def _transformed(tensors: Tensors, heads: int, chunk: int, past: ChunkPast | None, x: mx.array) -> mx.array:
    normal = tensors.norm("norm1", x)
    queries, keys, values = (in_heads(tensors.linear(f"attn1.to_{name}", normal), heads) for name in "qkv")
    keys, values = past.attended(keys, values) if past else (keys, values)
    x = x + tensors.linear("attn1.to_out.0", joined(attend(queries, keys, values, chunk)))
    inner = tensors.linear("ff.net.0.proj", tensors.norm("norm3", x))
    return x + tensors.linear("ff.net.2", gelu(inner))


def embedded_time(tensors: Tensors, time: mx.array) -> mx.array:
    """time [b] from 0 to 1 → what the blocks of a U-net add to its frames, before a layer of each [b, 1, c]."""
    width = tensors["time_mlp.linear_1.weight"].shape[1]
    inner = tensors.linear("time_mlp.linear_1", time_places(time, width))
    return mish(tensors.linear("time_mlp.linear_2", inner * mx.sigmoid(inner)))[:, None]


def time_places(time: mx.array, width: int) -> mx.array:
    """time [b] → [b, width]: sines, then cosines, of a thousand times the time at geometric rates."""
    half = width // 2
    rates = mx.exp(mx.arange(half) * (-math.log(10_000) / (half - 1)))
    angles = 1000 * time[:, None] * rates
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=-1)
