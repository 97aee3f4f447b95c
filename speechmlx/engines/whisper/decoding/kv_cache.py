"""The key-value cache of a batch: keys and values of its rows, in arrays that are allocated once.

Every row writes its new token into the same column, so that one slice update serves the batch. A row's tokens are the
columns up to that one, as many as the row is long; columns further back are unused and masked or cut off. Positions are
embedded at the input, so the network does not depend on the order of columns.

MLX updates an array in place only where nothing else holds its memory. On a GPU the step in flight holds what it
reads until it has ended, so a step launched meanwhile would copy the arrays whole. A `pipelined` cache therefore
writes to two sets of arrays in turn: a step writes to those that the last but one read. They take twice the memory of
the tokens; the audio is stored once. Counted on Linux with MLX's CPU backend, the arrays held as a GPU holds them,
whisper-base's sizes in float32: a step with one set took 12.7 MB more for 1 row and 101 MB for 8 rows, which is all
of it, and with two sets 0.1 and 0.7 MB. The CPU backend itself holds nothing that long and copies nothing. On Metal
it is unmeasured.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.sampling import NEVER
from speechmlx.engines.whisper.model.network import Dims, Pair

SPARE = 64
"""Columns beyond the longest row: the columns in use are moved back only once in so many steps."""


class BatchCache:
    """A `KVCache` for up to `most` rows and the audio of each. The seats taken are always the first `rows`."""

    def __init__(
        self, dims: Dims, most: int, dtype: mx.Dtype, columns: int | None = None, pipelined: bool = False
    ) -> None:
        """`columns`: tokens there is room for, by default a whole context; 0 for audio only.

        `pipelined`: a step may be launched before the one before it has ended.
        """
        self._dims = dims
        self._most = most
        self._places = 0
        """Places of audio (encoder positions) there is room for."""
        self._dtype = dtype
        self._columns = dims.n_text_ctx + SPARE if columns is None else columns
        self._capacity = 0
        self._next = 0
        self._own: list[list[mx.array]] = []
        """Keys and values [capacity, h, columns, d] of the tokens, per layer."""
        self._pipelined = pipelined
        self._spare: dict[tuple[int, int], tuple[mx.array, mx.array]] = {}
        """By layer and side: the array that the next step writes to, and the newest column [rows, h, 1, d], which it
        lacks. Empty when rows have come, gone or moved since the last step."""
        self._cross: list[list[mx.array]] = []
        self.lengths: list[int] = []
        """Tokens of each row."""
        self.audio_places: list[int] = []
        """Places of audio of each row."""

    @property
    def rows(self) -> int:
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of all seats that there are now."""
        spare = [array for array, _ in self._spare.values()]
        return sum(array.nbytes for array in (*self._arrays(), *spare))

    def take(self, cross: Sequence[Pair]) -> int:
        """Take the next free seat for audio with these keys and values, [1, h, n, d] per layer; returns the seat.

        With an empty `cross` the caller gives the audio to the decoder itself.
        """
        self._spare.clear()
        if self.rows == self._capacity:
            self._grow()
        row, places = self.rows, cross[0][0].shape[2] if cross else 0
        self._make_room(places)
        self.lengths.append(0)
        self.audio_places.append(places)
        for layer, pair in enumerate(cross):
            for side in (0, 1):
                self._cross[layer][side][row : row + 1, :, :places] = pair[side]
        return row

    def begin(self, row: int, prompt: Sequence[Pair], length: int) -> None:
        """Set the tokens of `row` to a prompt, whose keys and values are [1, h, length, d] per layer."""
        self._spare.clear()
        self.lengths[row] = 0
        if self._next < length:
            self._move(length)
        self.lengths[row] = length
        for layer, pair in enumerate(prompt):
            for side in (0, 1):
                self._own[layer][side][row : row + 1, :, self._next - length : self._next] = pair[side]

    def leave(self, row: int, wipe: bool = False) -> None:
        """Free a seat; the last row takes it over.

        `wipe`: it held numbers that are not finite. Masks hide what a seat held before, but not those.
        """
        self._spare.clear()
        last = self.rows - 1
        if row != last:
            for array in self._arrays():
                array[row : row + 1] = array[last : last + 1]
            self.lengths[row], self.audio_places[row] = self.lengths[last], self.audio_places[last]
        self.lengths.pop()
        self.audio_places.pop()
        for array in self._arrays() if wipe else ():
            array[self.rows :] = 0
        if not self.lengths:
            self._own, self._cross, self._capacity, self._next, self._places = [], [], 0, 0, 0

    def reorder(self, rows: Sequence[int]) -> None:
        """Replace row i by row `rows[i]`, for each i; further rows leave. Only for rows that share their audio."""
        if list(rows) != list(range(self.rows)):
            self._spare.clear()
            first, order = self._next - max(self.lengths), mx.array(list(rows))
            arrays = [array for pair in self._own for array in pair]
            ordered = [array[:, :, first : self._next][order] for array in arrays]
            mx.eval(ordered)  # evaluated first, because the arrays are then written to in place
            for array, rows_of in zip(arrays, ordered, strict=True):
                array[: len(rows), :, first : self._next] = rows_of
            self.lengths = [self.lengths[row] for row in rows]
            self.audio_places = [self.audio_places[row] for row in rows]

    def begin_step(self) -> None:
        """Make room for one more token in every row; call before the decoder."""
        if self._next == self._columns:
            self._move(max(self.lengths))
        self._next += 1
        self.lengths = [length + 1 for length in self.lengths]

    def update(self, layer: int, k: mx.array, v: mx.array) -> Pair:
        first = self._next - max(self.lengths)
        pair = []
        for side, new in enumerate((k, v)):
            array = self._written(layer, side, new)
            pair.append(array[: self.rows, :, first : self._next])
        return pair[0], pair[1]

    def _written(self, layer: int, side: int, new: mx.array) -> mx.array:
        """The keys or the values of a layer with the new column [rows, h, 1, d]."""
        before = self._own[layer][side]
        if not self._pipelined:
            array = before
        elif spare := self._spare.pop((layer, side), None):
            array, column = spare
            array[: self.rows, :, self._next - 2 : self._next - 1] = column
        else:
            array = before + 0
        array[: self.rows, :, self._next - 1 : self._next] = new
        if self._pipelined:
            self._own[layer][side], self._spare[layer, side] = array, (before, new)
        return array

    def mask(self) -> mx.array | None:
        """Additive mask [rows, 1, 1, columns that `update` returns], or None when all rows have one length."""
        longest = max(self.lengths)
        if min(self.lengths) == longest:
            return None
        age = np.arange(longest, 0, -1)
        allowed = age[None] <= np.array(self.lengths)[:, None]
        return mx.array(np.where(allowed, 0.0, NEVER).astype(np.float32)[:, None, None]).astype(self._dtype)

    def cross(self, first: int = 0, end: int | None = None) -> list[Pair]:
        """Each layer's keys and values [rows, h, n, d] of the audio of rows [first, end), by default all rows."""
        taken = slice(first, self.rows if end is None else end)
        places = max(self.audio_places[taken])
        return [(k[taken, :, :places], v[taken, :, :places]) for k, v in self._cross]

    def cross_mask(self, first: int = 0, end: int | None = None) -> mx.array | None:
        """Additive mask [rows, 1, 1, n] for what `cross` returns, or None when all audio has one length."""
        places = np.array(self.audio_places[first : self.rows if end is None else end])
        if places.min() == places.max():
            return None
        allowed = np.arange(places.max()) < places[:, None]
        return mx.array(np.where(allowed, 0.0, NEVER).astype(np.float32)[:, None, None]).astype(self._dtype)

    def _arrays(self) -> list[mx.array]:
        return [array for pairs in (self._own, self._cross) for pair in pairs for array in pair]

    def _move(self, to: int) -> None:
        """Move the columns in use to right before column `to`."""
        self._spare.clear()
        kept = max(self.lengths)
        for pair in self._own:
            for array in pair:
                if kept:
                    array[:, :, to - kept : to] = mx.contiguous(array[:, :, self._next - kept : self._next])
        self._next = to

    def _make_room(self, places: int) -> None:
        more = places - self._places
        if more > 0:
            dims = self._dims
            empty = mx.zeros(
                (self._capacity, dims.n_text_head, more, dims.n_text_state // dims.n_text_head), self._dtype
            )
            for pair in self._cross:
                pair[:] = [mx.concatenate([array, empty], axis=2) for array in pair]
            self._places = places

    def _grow(self) -> None:
        dims = self._dims
        more = min(self._most, max(1, 2 * self._capacity)) - self._capacity
        assert more > 0, "more rows than seats"
        width = dims.n_text_state // dims.n_text_head
        for arrays, columns in ((self._own, self._columns), (self._cross, self._places)):
            empty = mx.zeros((more, dims.n_text_head, columns, width), self._dtype)
            if not arrays:
                arrays.extend([empty + 0, empty + 0] for _ in range(dims.n_text_layer))
                continue
            for pair in arrays:
                pair[:] = [mx.concatenate([array, empty]) for array in pair]
        self._capacity += more
