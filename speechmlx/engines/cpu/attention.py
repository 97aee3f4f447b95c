"""Attention for MLX's CPU backend: scores are computed and used some rows at a time, so that they stay in the caches.

Never used on a GPU.
"""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.cpu.elementwise import LARGE, view
from speechmlx.engines.cpu.product import Matrix, multiply

ORIGINAL = mx.fast.scaled_dot_product_attention

Scores = NDArray[np.float32]
LEAST = float(np.finfo(np.float32).min)
"""The score of what may not be looked at. A row that may look at nothing looks at all alike, as MLX has it."""

BLOCK = 1 << 18
"""Number of scores computed at a time: 1 MB."""


def attend(q: mx.array, k: mx.array, v: mx.array, scale: float, mask: mx.array | None = None) -> mx.array:
    """Attention of q [b, h, t, d] over k and v [b, h, n, d], all float32; `mask` [b or 1, 1, t or 1, n] is added."""
    if q.shape[2] == 1:  # keys are read as they lie
        scores = (k @ (q * scale).transpose(0, 1, 3, 2)).reshape(*q.shape[:3], k.shape[2])
        return _weighted(scores if mask is None else scores + mask, v)
    if q.shape[2] * k.shape[2] < LARGE:
        scores = (q * scale) @ k.transpose(0, 1, 3, 2)
        return _weighted(scores if mask is None else scores + mask, v)
    return _by_blocks(q, k, v, scale, None if mask is None else view(mask))


@wraps(ORIGINAL)
def fused(
    q: mx.array,
    k: mx.array,
    v: mx.array,
    *,
    scale: float,
    mask: mx.array | str | None = None,
    sinks: mx.array | None = None,
    **more: Any,
) -> mx.array:
    """As mx.fast.scaled_dot_product_attention; MLX computes it for few scores, and for types other than float32."""
    length, places = q.shape[2], k.shape[2]
    known = not isinstance(mask, str) or mask == "causal"
    many = length > 1 and length * places >= LARGE and known and sinks is None and not more
    if many and q.dtype == k.dtype == v.dtype == mx.float32:
        try:
            added = _added(mask, length, places)
            if added is None or added.shape[1] == 1:
                return _by_blocks(q, k, v, scale, added)
        except ValueError:  # mx.compile or mx.vmap look at a network, so there are no values yet
            pass
    return ORIGINAL(q, k, v, scale=scale, mask=mask, sinks=sinks, **more)


def _added(mask: mx.array | str | None, length: int, places: int) -> Scores | None:
    """A mask as what is added to scores, with as many axes as they have."""
    if mask is None or isinstance(mask, str):
        return None if mask is None else _causal(length, places)
    if mask.dtype == mx.bool_:
        mask = mx.where(mask, mx.array(0.0), mx.array(LEAST))
    return view(mask.astype(mx.float32).reshape(*[1] * (4 - mask.ndim), *mask.shape))


@lru_cache(maxsize=2)
def _causal(length: int, places: int) -> Scores:
    """Of the last `length` of `places` positions: each looks at none after it."""
    return np.triu(np.full((length, places), LEAST, np.float32), places - length + 1)[None, None]


def _by_blocks(q: mx.array, k: mx.array, v: mx.array, scale: float, mask: Scores | None) -> mx.array:
    """As attend; the heads of k and v may be fewer, each for as many of q."""
    mx.eval(q, k, v)
    queries, keys, values = view(q), view(k), view(v)
    (batch, heads, length, _), places = queries.shape, keys.shape[2]
    share = heads // keys.shape[1]
    added = None if mask is None else np.broadcast_to(mask, (len(mask), 1, length, places))
    found = np.empty((batch, length, heads, values.shape[3]), np.float32)
    step = max(1, BLOCK // places)
    scratch = np.empty((step, places), np.float32)
    for row in range(batch):
        for head in range(heads):
            keys_seen, values_seen = keys[row, head // share], values[row, head // share]
            for first in range(0, length, step):
                some = slice(first, first + step)
                part, out = scratch[: min(step, length - first)], found[row, some, head]
                multiply(queries[row, head, some], keys_seen.T, part, scale)
                if added is not None:
                    np.add(part, added[row % len(added), 0, some], out=part)
                sums = _exponentiate(part)
                multiply(part, values_seen, out)
                np.divide(out, sums, out=out)
    return mx.array(found).transpose(0, 2, 1, 3)


def _weighted(scores: mx.array, v: mx.array) -> mx.array:
    """The softmax of `scores` [..., t, n], overwritten when they are large, times v [..., n, d]."""
    if scores.size < LARGE:
        return mx.softmax(scores, axis=-1) @ v
    scores = mx.contiguous(scores)
    sums = _exponentiate(view(scores))
    return (scores @ v) / mx.array(sums)


def _exponentiate(scores: Matrix) -> Matrix:
    """Overwrite `scores` [..., n] with exp(score - largest of the row). Returns the sums of the rows."""
    np.subtract(scores, scores.max(axis=-1, keepdims=True), out=scores)
    np.exp(scores, out=scores)
    sums: Matrix = scores.sum(axis=-1, keepdims=True)
    return sums
