"""The next token of each row of a batch, drawn on the device by settings of its own.

What chance decides comes from outside as one number in [0, 1) for each draw, so a row draws the same in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx

GREEDY = 1e-5
"""A temperature that is not higher takes the likeliest."""
ALL = 2**30
"""A top_k that leaves nothing out."""
NOBODY = 0.0, 1, 1.0
"""The temperature, top_k and top_p of an empty place: the likeliest, which nobody reads."""


@dataclass(frozen=True)
class Draw:
    """How the rows draw, the arrays [B] of float32."""

    coldness: mx.array
    """1 / temperature; 1 for the likeliest."""
    luck: mx.array
    """What chance is multiplied by: 0 for the likeliest, else 1."""
    top_k: mx.array
    """int32, at least 1; the size of the vocabulary or more leaves nothing out."""
    top_p: mx.array
    """Above 0; above 1 leaves nothing out."""
    is_nucleus: bool
    """A row has a top_p that leaves something out."""
    most: int | None = None
    """No row draws from more of the likeliest than so many. On a CPU it is faster to look for these first."""

    @classmethod
    def of(cls, rows: Sequence[tuple[float, int, float]], most: int | None = None) -> Draw:
        """temperature (0 takes the likeliest), top_k (0 leaves nothing out) and top_p of each row.

        `most` is used if it holds.
        """
        temperature, given, top_p = zip(*rows, strict=True)
        top_k = [one or ALL for one in given]
        return cls(
            mx.array([1 / one if one > GREEDY else 1.0 for one in temperature]),
            mx.array([float(one > GREEDY) for one in temperature]),
            mx.array(top_k, mx.int32),
            mx.array([one if one < 1 else 2.0 for one in top_p]),
            min(top_p) < 1,
            most if most is not None and max(top_k) < most else None,
        )


def choose(logits: mx.array, draw: Draw, chance: mx.array) -> mx.array:
    """logits float32 [B, V], chance float32 [B] times `draw.luck` → a token of each row, int32 [B].

    Of the likeliest `top_k` (and those as likely as the last of them), then of the likeliest that come to `top_p`.
    """
    scores = -logits * draw.coldness[:, None]
    order = _order(scores, draw.most)
    kept = filtered(-mx.take_along_axis(scores, order, axis=-1), draw)
    total = mx.cumsum(mx.softmax(kept, axis=-1), axis=-1)
    last = (kept > -mx.inf).sum(axis=-1, keepdims=True) - 1  # where rounding lets the count run over the end
    bound = mx.take_along_axis(total, last, axis=-1)
    before = (total <= chance[:, None] * bound).sum(axis=-1, keepdims=True)
    return mx.take_along_axis(order, mx.minimum(before, last), axis=-1)[:, 0].astype(mx.int32)


def _order(scores: mx.array, most: int | None) -> mx.array:
    """Places of the lowest scores first, and of equal ones the first one first: all [B, V], or `most` of them."""
    if most is None or most >= scores.shape[-1]:
        return mx.argsort(scores, axis=-1)
    lowest = mx.sort(mx.argpartition(scores, most - 1, axis=-1)[:, :most], axis=-1)
    return mx.take_along_axis(lowest, mx.argsort(mx.take_along_axis(scores, lowest, axis=-1), axis=-1), axis=-1)


def filtered(ordered: mx.array, draw: Draw) -> mx.array:
    """Scores [B, V], the highest first, with minus infinity for those that are not drawn from."""
    place = mx.minimum(draw.top_k, ordered.shape[-1])[:, None] - 1
    kept = mx.where(ordered < mx.take_along_axis(ordered, place, axis=-1), -mx.inf, ordered)
    if not draw.is_nucleus:
        return kept
    shares = mx.softmax(kept, axis=-1)
    return mx.where(mx.cumsum(shares, axis=-1) - shares < draw.top_p[:, None], kept, -mx.inf)


def penalised(logits: mx.array, seen: mx.array, penalty: mx.array) -> mx.array:
    """logits [B, V] with those of `seen` (bool [B, V]) made less likely by `penalty` [B]; 1 changes nothing."""
    by = penalty[:, None]
    return mx.where(seen, mx.where(logits > 0, logits / by, logits * by), logits)
