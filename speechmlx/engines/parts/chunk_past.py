"""What a causal network keeps of one sequence that comes in pieces: the ends that convolutions see, keys and values."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from speechmlx.engines.parts.tensors import Tensors


class ChunkPast:
    """One pass of a network over a piece: each layer takes what it left in the pass before, and leaves its own."""

    def __init__(self, arrays: Sequence[mx.array] = (), place: int = 0) -> None:
        """`arrays`: what the pass before left. `place`: frames before the piece; 0 where the sequence begins."""
        self.place = place
        self.after: list[mx.array] = []
        """For the next pass; complete after the last layer."""
        self._before = iter(arrays)

    def conv(self, tensors: Tensors, name: str, x: mx.array, groups: int = 1) -> mx.array:
        """x [b, t, in] → [b, t, out]: each frame sees itself and those before it; before the sequence are zeros."""
        reach = tensors[f"{name}.weight"].shape[1] - 1
        before = next(self._before) if self.place else mx.zeros((x.shape[0], reach, x.shape[2]), x.dtype)
        joined = mx.concatenate([before, x], axis=1)
        length = joined.shape[1]
        self.after.append(mx.take(joined, mx.arange(length - reach, length), axis=1))  # a view would hold all of it
        return tensors.conv(name, joined, groups=groups)

    def attended(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Keys and values of the piece [b, heads, t, d] → those of all frames so far."""
        if self.place:
            keys = mx.concatenate([next(self._before), keys], axis=2)
            values = mx.concatenate([next(self._before), values], axis=2)
        self.after += [keys, values]
        return keys, values
