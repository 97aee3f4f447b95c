"""A stack of transformer layers that reads and writes the keys and values of rows: its sizes, and how it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.kv_rows import KeyValueRows, span_of
from speechmlx.engines.parts.rotary import Turn, turn_from


@dataclass(frozen=True)
class StackShape:
    """One stack of transformer layers."""

    hidden: int
    inner: int
    """Width of the feed-forward layers."""
    layers: int
    heads: int
    kv_heads: int
    head: int
    """Width of a head."""
    epsilon: float
    base: float
    """Of the rotary positions."""
    bias: bool = False
    """Whether the projections of the attention have one."""
    neighbours: bool = False
    """Rotary positions turn neighbouring channels together, as `traditional` of mx.fast.rope."""

    def turn(self, at: int | mx.array, length: int) -> Turn:
        """Turns queries and keys by `length` positions from `at` on, an int or int32 [batch]."""
        return turn_from(at, length, self.head, self.base, neighbours=self.neighbours)


Layer = Callable[..., mx.array]
"""x [B, L, hidden], a Remember, a Turn, a mask → the same shape."""


def read_rows(
    shape: StackShape, layers: Sequence[Layer], rows: mx.array, memory: KeyValueRows, row: int, at: int
) -> mx.array:
    """Read a piece of a prompt [n, hidden], which begins at position `at` → the output of its end [1, hidden]."""
    x = rows[None]
    mask, turn = "causal" if x.shape[1] > 1 else None, shape.turn(at, x.shape[1])
    for number, layer in enumerate(layers):
        x = layer(x, memory.prompt(number, row, at), turn, mask)
    return x[:, -1]


def step_rows(
    shape: StackShape, layers: Sequence[Layer], x: mx.array, memory: KeyValueRows, lengths: NDArray[np.int32]
) -> mx.array:
    """One position of each row: inputs [rows, hidden] behind `lengths` [rows] → the outputs [rows, hidden]."""
    span = min(span_of(int(lengths.max()) + 1), memory.room)
    at = mx.array(lengths)
    mask = (mx.arange(span)[None] <= at[:, None])[:, None, None]
    places, y, turn = memory.places_at(at), x[:, None], shape.turn(at, 1)
    for number, layer in enumerate(layers):
        y = layer(y, memory.frame(number, places, span), turn, mask)
    return y[:, 0]
