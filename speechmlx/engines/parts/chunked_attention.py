"""Attention in which a frame sees its own chunk and all before it, or all frames; in blocks, to bound the memory."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

BLOCK = 500
"""Queries of a block: what is held at once is heads * BLOCK * keys numbers."""


def attend(
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    chunk: int = 0,
    bias: Callable[[int, int, int], mx.array] | None = None,
) -> mx.array:
    """[b, heads, t, d] each → [b, heads, t, d]. `chunk`: frames of a chunk; 0: every frame sees all.

    The queries may be those of the last frames alone. bias(first, end, seen) → what is added to the scores of the
    frames [first, end) against the first `seen` keys.
    """
    count, found = keys.shape[2], []
    before = count - queries.shape[2]
    for first in range(before, count, BLOCK):
        end = min(first + BLOCK, count)
        seen = min(count, -(-end // chunk) * chunk) if chunk else count
        mask = bias(first, end, seen) if bias else None
        if chunk and first // chunk != (end - 1) // chunk:
            visible = mx.arange(seen)[None] < (mx.arange(first, end)[:, None] // chunk + 1) * chunk
            mask = visible if mask is None else mx.where(visible, mask, -mx.inf)
        rows = queries[:, :, first - before : end - before]
        scale = queries.shape[-1] ** -0.5
        found.append(
            mx.fast.scaled_dot_product_attention(rows, keys[:, :, :seen], values[:, :, :seen], scale=scale, mask=mask)
        )
    return found[0] if len(found) == 1 else mx.concatenate(found, axis=2)


def in_heads(x: mx.array, heads: int) -> mx.array:
    """[b, t, heads * d] → [b, heads, t, d]"""
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def joined(x: mx.array) -> mx.array:
    """[b, heads, t, d] → [b, t, heads * d]"""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)
