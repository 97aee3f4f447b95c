"""Rotary positions for MLX's CPU backend, which computes all angles anew for the queries and keys of every layer.

Here the layers of a step share one table of cosines and sines. Never used on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, cast

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

ORIGINAL = mx.fast.rope


@dataclass(frozen=True)
class Rotation:
    """How far each pair of channels turns from one position to the next."""

    width: int
    """Number of channels that turn."""
    base: float
    scale: float
    neighbours: bool
    """Channels 2 i and 2 i + 1 are a pair, else i and i + width / 2."""

    def tables(self, offset: int, length: int) -> Tables:
        """For `length` positions from `offset` on: each table [length, width]."""
        cosines, sines = _angles(self, offset, length)
        return self._tables(mx.array(cosines), mx.array(sines))

    def tables_of_rows(self, offsets: mx.array, length: int) -> Tables:
        """For `length` positions of each row of a batch, from its offset on, int [batch]: [batch, 1, length, width]."""
        places = offsets[:, None] + mx.arange(length)
        angles = (self.scale * places)[:, None, :, None] * mx.array(self.steps())
        return self._tables(mx.cos(angles), mx.sin(angles))

    def turned(self, x: mx.array, tables: Tables) -> mx.array:
        """x [..., length, width] at the positions of the tables."""
        cosines, sines = tables
        return (x * cosines + self._swapped(x) * sines).astype(x.dtype)

    def steps(self) -> NDArray[np.float32]:
        """How far each pair turns, in radians for a position, but for `scale`."""
        return (self.base ** -(np.arange(0, self.width, 2) / self.width)).astype(np.float32)

    def _tables(self, cosines: mx.array, sines: mx.array) -> Tables:
        """Of numbers for each pair [..., width / 2]."""
        if self.neighbours:
            return mx.repeat(cosines, 2, axis=-1), mx.stack([-sines, sines], axis=-1).reshape(*sines.shape[:-1], -1)
        return mx.concatenate([cosines, cosines], axis=-1), mx.concatenate([-sines, sines], axis=-1)

    def _swapped(self, x: mx.array) -> mx.array:
        """x with the channels of each pair in each other's place."""
        if self.neighbours:
            return x.reshape(*x.shape[:-1], -1, 2)[..., ::-1].reshape(x.shape)
        half = self.width // 2
        return mx.concatenate([x[..., half:], x[..., :half]], axis=-1)


Tables = tuple[mx.array, mx.array]
"""Cosines, and sines with the sign that a channel needs: x turned is x * cosines + swapped x * sines."""


@lru_cache(maxsize=4)
def _angles(rotation: Rotation, offset: int, length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines for each pair [length, width / 2]: the layers of a step share them, and no memory of MLX."""
    places = np.float32(rotation.scale) * np.arange(offset, offset + length, dtype=np.float32)
    angles = places[:, None] * rotation.steps()
    return np.cos(angles), np.sin(angles)


@wraps(ORIGINAL)
def rope(
    a: mx.array,
    /,
    dims: int,
    *,
    traditional: bool,
    base: float | None,
    scale: float,
    offset: int | mx.array,
    freqs: mx.array | None = None,
    stream: Any = None,
) -> mx.array:
    """a [batch, ..., positions, channels] → the same shape, as mx.fast.rope.

    Only tables of a whole number are kept: code may change an array of offsets in place.
    """
    usual = base is not None and freqs is None and stream is None
    if not usual or a.dtype != mx.float32 or a.ndim < 3:
        return ORIGINAL(
            a, dims, traditional=traditional, base=base, scale=scale, offset=offset, freqs=freqs, stream=stream
        )
    rotation = Rotation(dims, cast(float, base), scale, traditional)
    length = a.shape[-2]
    if isinstance(offset, int):
        tables = rotation.tables(offset, length)
    else:
        cosines, sines = rotation.tables_of_rows(offset.reshape(-1), length)
        shape = -1, *[1] * (a.ndim - 3), length, dims
        tables = cosines.reshape(shape), sines.reshape(shape)
    if dims == a.shape[-1]:
        return rotation.turned(a, tables)
    return mx.concatenate([rotation.turned(a[..., :dims], tables), a[..., dims:]], axis=-1)
