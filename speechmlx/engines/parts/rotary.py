"""Rotary positions of a batch whose rows are at positions of their own, for all layers of a step."""

from __future__ import annotations

import sys
from collections.abc import Callable

import mlx.core as mx

Turn = Callable[[mx.array], mx.array]
"""Queries or keys [batch, heads, length, width] → the same, turned by their positions."""


def turn_from(at: int | mx.array, length: int, width: int, base: float, *, neighbours: bool = False) -> Turn:
    """Turns by positions from `at` on, an int or int32 [batch]; `neighbours`: as `traditional` of mx.fast.rope."""
    ours = sys.modules.get("speechmlx.engines.cpu")  # a GPU has no use for it
    if isinstance(at, int) or ours is None or mx.fast.rope is not ours.rope:
        return lambda x: mx.fast.rope(x, width, traditional=neighbours, base=base, scale=1.0, offset=at)
    rotation = ours.Rotation(width, base, 1.0, neighbours)
    tables = rotation.tables_of_rows(at, length)
    return lambda x: rotation.turned(x, tables)
