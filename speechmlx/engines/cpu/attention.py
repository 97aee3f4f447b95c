"""Attention for MLX's CPU backend: scores are computed and used some rows at a time, so that they stay in the caches.

Never used on a GPU.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from speechmlx.engines.cpu.elementwise import LARGE, view
from speechmlx.engines.cpu.product import Matrix, multiply

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
    mx.eval(q, k, v)
    queries, keys, values = view(q), view(k), view(v)
    (batch, heads, length, width), places = queries.shape, keys.shape[2]
    added = None if mask is None else np.broadcast_to(view(mask), (len(mask), 1, length, places))
    found = np.empty((batch, length, heads, width), np.float32)
    step = max(1, BLOCK // places)
    scratch = np.empty((step, places), np.float32)
    for row in range(batch):
        for head in range(heads):
            for first in range(0, length, step):
                some = slice(first, first + step)
                part, out = scratch[: min(step, length - first)], found[row, some, head]
                multiply(queries[row, head, some], keys[row, head].T, part, scale)
                if added is not None:
                    np.add(part, added[row % len(added), 0, some], out=part)
                sums = _exponentiate(part)
                multiply(part, values[row, head], out)
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
