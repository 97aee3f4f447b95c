"""Keys and values of the rows of a batch: each row has its place, and none is copied for a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx

STEP = 256
"""Positions by which all rows grow together."""
SPAN = 64
"""What attention looks at is cut behind the longest row at a multiple of this."""

Remember = Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]
"""Takes the new keys and values [B, heads, L, width] of a layer and gives all that its queries may attend to."""


class FramePast:
    """The keys and values of one layer within a frame of at most `room` positions: its `add` is a Remember."""

    def __init__(self, room: int) -> None:
        self._room, self._length = room, 0
        self._held: tuple[mx.array, mx.array] | None = None

    def add(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        start, end = self._length, self._length + keys.shape[2]
        if self._held is None:
            more = [(0, 0), (0, 0), (0, self._room - end), (0, 0)]
            self._held = mx.pad(keys, more), mx.pad(values, more)
        else:
            for held, new in zip(self._held, (keys, values), strict=True):
                held[:, :, start:end] = new
        self._length = end
        keys, values = (held[:, :, :end] for held in self._held)
        return keys, values


class KeyValueShape(Protocol):
    """What a stack of layers says of its keys and values."""

    @property
    def layers(self) -> int: ...

    @property
    def kv_heads(self) -> int: ...

    @property
    def head(self) -> int:
        """Width of a head."""


@dataclass(frozen=True)
class KeyValuePrefix:
    """Keys and values of the first positions of a sequence: for each layer [1, heads, n, width]."""

    keys: list[mx.array]
    values: list[mx.array]

    def __len__(self) -> int:
        return int(self.keys[0].shape[2])

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (*self.keys, *self.values))

    def is_finite(self) -> bool:
        """Whether all are finite numbers."""
        return bool(mx.stack([mx.isfinite(array).all() for array in (*self.keys, *self.values)]).all().item())


class KeyValueRows:
    """For each layer keys and values [rows, heads, room, width]; what is behind a row's length is of no use.

    MLX writes to an array in place only where nothing else holds its memory; else it copies the array whole. A device
    holds what it was given until it has used it. So whoever launches a frame before the last one has ended launches
    none of these arrays by name, which would be held to the frame's end: the attention of each layer holds them until
    it has run, and is a frame of kernels away from the next write. MLX 0.32 launches 10 command buffers of 50 kernels
    at most before it waits for one on Metal, and a frame has more kernels than these. On Metal it is unmeasured.
    """

    def __init__(self, shape: KeyValueShape, dtype: mx.Dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self.rows = self.room = 0
        self.keys: list[mx.array] = []
        self.values: list[mx.array] = []

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self.rows * self.room * self.position_bytes

    @property
    def position_bytes(self) -> int:
        """Bytes of one position of one row, in all layers."""
        return 2 * self._shape.layers * self._shape.kv_heads * self._shape.head * self._dtype.size

    def fit(self, rows: int, room: int) -> None:
        """Have places for `rows` rows of `room` positions at least; what is held stays where it is."""
        room = -(-max(room, self.room) // STEP) * STEP
        if rows > self.rows or room > self.room:
            self._make([*range(self.rows)], max(rows, self.rows), room)

    def keep(self, places: Sequence[int], rows: int) -> None:
        """Hold only the rows at `places`, which become rows 0, 1, ... of `rows`; no row: no memory."""
        if not places:
            self.rows = self.room = 0
            self.keys, self.values = [], []
        else:
            self._make(places, rows, self.room)

    def wipe(self, row: int, at: int = 0) -> None:
        """Make one row zeros from position `at` on: what is no number must not stay, as attention multiplies it."""
        for held in (self.keys, self.values):
            for array in held:
                array[row, :, at:] = mx.array(0, self._dtype)

    def _make(self, places: Sequence[int], rows: int, room: int) -> None:
        """Copy layer by layer, so that only one layer is there twice."""
        heads, width = self._shape.kv_heads, self._shape.head
        chosen = mx.array(list(places), mx.int32)
        for held in (self.keys, self.values):
            for layer in range(self._shape.layers):
                fresh = mx.zeros((rows, heads, room, width), self._dtype)
                if not places:
                    held.append(fresh)
                    continue
                fresh[: len(places), :, : self.room] = mx.take(held[layer], chosen, axis=0)
                held[layer] = fresh
                mx.eval(fresh)
        self.rows, self.room = rows, room

    def places_at(self, lengths: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """Where the next position of every row is, for `frame`; lengths int32 [rows]."""
        return mx.arange(self.rows)[:, None], mx.arange(self._shape.kv_heads)[None], lengths[:, None]

    def frame(self, layer: int, places: tuple[mx.array, mx.array, mx.array], span: int) -> Remember:
        """Write the next position of every row of one layer, and look at the first `span`."""

        def remember(keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
            for held, new in ((self.keys, keys), (self.values, values)):
                held[layer][places] = new[:, :, 0]
            return self.keys[layer][:, :, :span], self.values[layer][:, :, :span]

        return remember

    def prompt(self, layer: int, row: int, at: int) -> Remember:
        """Write a piece of one row's prompt, from position `at` on, and look at all up to its end."""

        def remember(keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
            end = at + keys.shape[2]
            for held, new in ((self.keys, keys), (self.values, values)):
                held[layer][row : row + 1, :, at:end] = new
            return self.keys[layer][row : row + 1, :, :end], self.values[layer][row : row + 1, :, :end]

        return remember

    def copied(self, row: int, length: int) -> KeyValuePrefix:
        """A copy of the first `length` positions of a row."""
        at = mx.arange(length)
        keys, values = (
            [mx.take(array[row : row + 1], at, axis=2) for array in held] for held in (self.keys, self.values)
        )
        mx.eval(keys, values)
        return KeyValuePrefix(keys, values)

    def put(self, row: int, prefix: KeyValuePrefix) -> None:
        """Make `prefix` the first positions of a row."""
        for held, known in ((self.keys, prefix.keys), (self.values, prefix.values)):
            for layer, array in enumerate(known):
                held[layer][row : row + 1, :, : len(prefix)] = array

    def evaluate(self) -> None:
        """Compute what was written."""
        mx.eval(self.keys, self.values)


def span_of(longest: int) -> int:
    """What attention looks at where the longest row has `longest` positions."""
    return -(-longest // SPAN) * SPAN


def bytes_of(position_bytes: int, lengths: Sequence[int]) -> int:
    """Bytes of rows that may come to `lengths`: all are as long as the longest, and their number is a power of two."""
    if not lengths:
        return 0
    return places_for(len(lengths)) * -(-max(lengths) // STEP) * STEP * position_bytes


def places_for(rows: int) -> int:
    """Places for so many rows: the next power of two, so that a compiled step serves several numbers of rows."""
    return 1 << (rows - 1).bit_length() if rows else 0
