"""How a code is drawn: a penalty on what the last frames had, then of the likeliest ones, by a temperature.

What chance decides comes from outside as one number in [0, 1) for each draw, so a row draws the same in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

COOLEST = 1e-5
"""A temperature of 0 is this one: the likeliest code."""


@dataclass(frozen=True)
class FishDraw:
    """How the rows draw, each an array float32 [B]."""

    temperature: mx.array
    top_p: mx.array
    """Above 0; 1 leaves nothing out."""
    penalty: mx.array
    """1 changes nothing."""


def draw(logits: mx.array, window: mx.array, how: FishDraw, chance: mx.array) -> mx.array:
    """logits float32 [B, V], window int32 [B, n], chance float32 [B] → a code of each row, int32 [B]."""
    order, shares = likely(logits, window, how)
    total = mx.cumsum(shares, axis=-1)
    before = (total <= chance[:, None] * total[:, -1:]).sum(axis=-1)
    last = mx.maximum((shares > 0).sum(axis=-1) - 1, 0)  # where rounding lets `before` run over the end
    drawn = mx.take_along_axis(order, mx.minimum(before, last)[:, None], axis=-1)
    return drawn[:, 0].astype(mx.int32)


def likely(logits: mx.array, window: mx.array, how: FishDraw) -> tuple[mx.array, mx.array]:
    """The codes [B, V] from the likeliest on, and their probabilities [B, V].

    The likeliest that come to `top_p` together, the first in any case, as they are before the temperature.
    """
    codes = mx.arange(logits.shape[-1])
    seen, by = (window[:, :, None] == codes).any(axis=1), how.penalty[:, None]
    logits = mx.where(seen, mx.where(logits < 0, logits * by, logits / by), logits)
    order = mx.argsort(-logits, axis=-1)
    ordered = mx.take_along_axis(logits, order, axis=-1)
    total = mx.cumsum(mx.softmax(ordered, axis=-1), axis=-1)
    kept = mx.where((total <= how.top_p[:, None]) | (codes == 0), ordered, -mx.inf)
    return order, mx.softmax(kept / mx.maximum(how.temperature, COOLEST)[:, None], axis=-1)
