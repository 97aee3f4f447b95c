"""Self-attention over streams in pieces: a position sees itself and a window of positions before it.

The keys of the window are kept as they are and turned in each step by their places in the window, not by those in the
stream. The products of queries and keys depend on distances alone, so streams of any age share a step, and none gets
too old.
"""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

from speechmlx.engines.parts.causal_conv import Past
from speechmlx.engines.qwen3_tts.codec.shape import AttentionShape


class WindowMask:
    """Remembers how much of its window each stream has filled, and says what a piece may see."""

    def __init__(self, window: int) -> None:
        self._before = window - 1

    def first(self, rows: int) -> list[mx.array]:
        return [mx.zeros((rows,), mx.int32)]

    def __call__(self, length: int, past: Past) -> mx.array:
        """Whether each of `length` new positions sees each of the window's and the new ones: [B, 1, length, keys]."""
        filled = past.take()
        past.leave(mx.minimum(filled + length, self._before))
        query = mx.arange(length)[:, None]
        key = mx.arange(self._before + length)
        near = (key >= query) & (key <= query + self._before)
        return near & (key >= self._before - filled[:, None, None, None])


class WindowedAttention:
    """Self-attention [B, T, width] → [B, T, width] with weights `NAME.inward` (q, k, v) and `NAME.outward`."""

    def __init__(self, weights: Mapping[str, mx.array], name: str, shape: AttentionShape) -> None:
        self._inward, self._outward = weights[f"{name}.inward"].T, weights[f"{name}.outward"].T
        self._shape = shape

    def first(self, rows: int) -> list[mx.array]:
        """Keys and values of the window of `rows` new streams: [rows, 2 * key heads, window - 1, head]."""
        size = (rows, 2 * self._shape.key_heads, self._shape.window - 1, self._shape.head)
        return [mx.zeros(size, self._inward.dtype)]

    def __call__(self, x: mx.array, mask: mx.array, past: Past) -> mx.array:
        shape, before = self._shape, self._shape.window - 1
        heads = (x @ self._inward).reshape(*x.shape[:2], -1, shape.head).swapaxes(1, 2)
        queries, others = mx.split(heads, [shape.heads], axis=1)
        keys, values = mx.split(past.extend(others, axis=2), 2, axis=1)
        seen = mx.fast.scaled_dot_product_attention(
            self._turned(queries, before), self._turned(keys, 0), values, scale=shape.head**-0.5, mask=mask
        )
        return seen.swapaxes(1, 2).reshape(*x.shape[:2], -1) @ self._outward

    def _turned(self, heads: mx.array, offset: int) -> mx.array:
        return mx.fast.rope(
            heads, self._shape.head, traditional=False, base=self._shape.theta, scale=1.0, offset=offset
        )
