"""Rotary positions for MLX's CPU backend, which computes all angles anew for the queries and keys of every layer.

Here the layers of a step share one table of cosines and sines. Never used on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, cast

import mlx.core as mx
import numpy as np

_rope = mx.fast.rope


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
        places = offset + np.arange(length)
        angles = self.scale * places[:, None] * self._steps()
        return self._tables(*(mx.array(values.astype(np.float32)) for values in (np.cos(angles), np.sin(angles))))

    def tables_of_rows(self, offsets: mx.array, length: int) -> Tables:
        """For `length` positions of each row of a batch, from its offset on, int [batch]: [batch, 1, length, width]."""
        places = offsets[:, None] + mx.arange(length)
        angles = (self.scale * places)[:, None, :, None] * mx.array(self._steps().astype(np.float32))
        return self._tables(mx.cos(angles), mx.sin(angles))

    def turned(self, x: mx.array, tables: Tables) -> mx.array:
        """x [..., length, width] at the positions of the tables."""
        cosines, sines = tables
        return x * cosines + self._swapped(x) * sines

    def _steps(self) -> Any:
        return self.base ** -(np.arange(0, self.width, 2) / self.width)

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
_remembered = lru_cache(maxsize=4)(Rotation.tables)


@wraps(_rope)
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

    MLX computes it where the offset is an array: code may change that in place, so no table can be known to be its own.
    """
    usual = base is not None and freqs is None and stream is None and isinstance(offset, int)
    if not usual or a.dtype != mx.float32 or a.ndim < 3:
        return _rope(
            a, dims, traditional=traditional, base=base, scale=scale, offset=offset, freqs=freqs, stream=stream
        )
    rotation = Rotation(dims, cast(float, base), scale, traditional)
    tables = _remembered(rotation, cast(int, offset), a.shape[-2])
    if dims == a.shape[-1]:
        return rotation.turned(a, tables)
    return mx.concatenate([rotation.turned(a[..., :dims], tables), a[..., dims:]], axis=-1)
