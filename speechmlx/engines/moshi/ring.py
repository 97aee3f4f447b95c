"""Keys and values of one conversation: those of the last frames, in a ring."""

from __future__ import annotations

import mlx.core as mx

STEP = 256
"""Frames by which the arrays grow."""


class MoshiRing:
    """Keys and values in all layers, [1, heads, frames, width] each; beyond `context` frames the oldest are replaced.

    Positions are in the keys' rotation, so their order in the ring means nothing.
    """

    def __init__(self, layers: int, context: int) -> None:
        self.end = 0
        """Frames so far."""
        self.context = context
        self.room = 0
        """Frames that it is to have room for from the next one on: so it need not grow, which takes it twice."""
        self._keys: list[mx.array | None] = [None] * layers
        self._values: list[mx.array | None] = [None] * layers

    def add(self, layer: int, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Add the next frames' [1, heads, n, width] of one layer → all that they attend to, themselves included.

        Several frames at once only where none is replaced. `advance` follows, once for all layers.
        """
        count = keys.shape[2]
        assert count == 1 or self.end + count <= self.context
        filled, at = min(self.end + count, self.context), self.end % self.context
        held = []
        for store, new in ((self._keys, keys), (self._values, values)):
            array = self._grown(store[layer], new, filled)
            array[:, :, at : at + count] = new
            store[layer] = array
            held.append(array[:, :, :filled])
        return held[0], held[1]

    def _grown(self, array: mx.array | None, new: mx.array, filled: int) -> mx.array:
        if array is not None and array.shape[2] >= filled:
            return array
        size = min(self.context, -(-max(filled, self.room) // STEP) * STEP)
        before = 0 if array is None else array.shape[2]
        room = mx.zeros((1, new.shape[1], size - before, new.shape[3]), new.dtype)
        return room if array is None else mx.concatenate([array, room], axis=2)

    def advance(self, count: int) -> None:
        """The frames are in all layers."""
        self.end += count

    def arrays(self) -> list[mx.array]:
        """All keys and values, to be evaluated together."""
        return [array for array in (*self._keys, *self._values) if array is not None]

    def copy(self) -> MoshiRing:
        """The same frames, none of them replaced yet, for a conversation that goes on by itself."""
        assert self.end <= self.context
        other = MoshiRing(len(self._keys), self.context)
        other.end = self.end
        # Only these frames: a view would keep the whole ring in memory.
        other._keys = [None if one is None else mx.contiguous(one[:, :, : self.end]) for one in self._keys]
        other._values = [None if one is None else mx.contiguous(one[:, :, : self.end]) for one in self._values]
        return other
