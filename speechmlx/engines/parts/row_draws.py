"""The next token of each row of a batch, drawn on the device by settings of its own.

What chance decides comes from outside as one number in [0, 1) for each draw, so a row draws the same in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True)
class Draw:
    """How the rows draw, each an array [B]."""

    temperature: mx.array
    """float32; 0 takes the likeliest."""
    top_k: mx.array
    """int32, at least 1; the size of the vocabulary or more leaves nothing out."""
    top_p: mx.array
    """float32 above 0; 1 leaves nothing out."""

    def __len__(self) -> int:
        return len(self.top_k)


def choose(logits: mx.array, draw: Draw, chance: mx.array) -> mx.array:
    """logits float32 [B, V], chance float32 [B] → a token of each row, int32 [B].

    Of the likeliest `top_k` (and those as likely as the last of them), then of the likeliest that come to `top_p`.
    """
    greedy = draw.temperature <= 0
    scaled = logits / mx.where(greedy, 1.0, draw.temperature)[:, None]
    order = mx.argsort(-scaled, axis=-1)
    kept = filtered(mx.take_along_axis(scaled, order, axis=-1), draw)
    total = mx.cumsum(mx.softmax(kept, axis=-1), axis=-1)
    before = (total <= chance[:, None] * total[:, -1:]).sum(axis=-1)
    last = (kept > -mx.inf).sum(axis=-1) - 1  # where rounding lets `before` run over the end
    place = mx.minimum(before, last)[:, None]
    drawn = mx.take_along_axis(order, place, axis=-1)[:, 0]
    return mx.where(greedy, mx.argmax(logits, axis=-1), drawn).astype(mx.int32)


def filtered(ordered: mx.array, draw: Draw) -> mx.array:
    """Scores [B, V], the highest first, with minus infinity for those that are not drawn from."""
    place = mx.minimum(draw.top_k, ordered.shape[-1])[:, None] - 1
    kept = mx.where(ordered < mx.take_along_axis(ordered, place, axis=-1), -mx.inf, ordered)
    shares = mx.softmax(kept, axis=-1)
    return mx.where(mx.cumsum(shares, axis=-1) - shares < draw.top_p[:, None], kept, -mx.inf)


def penalised(logits: mx.array, seen: mx.array, penalty: mx.array) -> mx.array:
    """logits [B, V] with those of `seen` (bool [B, V]) made less likely by `penalty` [B]; 1 changes nothing."""
    by = penalty[:, None]
    return mx.where(seen, mx.where(logits > 0, logits / by, logits * by), logits)
