"""LayerPace: evaluates the layers of a network some at a time, so that no step is longer than the worker wants."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import mlx.core as mx

from speechmlx.engines import LONG_AIM
from speechmlx.engines.step_size import StepSize

BLOCK = 64
"""Frames of one layer that are the unit of work."""
FIRST, MOST = 16, 1 << 14
"""Units in the first step, and at most in one."""

Layer = Callable[[mx.array], mx.array]


class LayerPace:
    """What an engine that is `Paced` shares among its networks: how much work one step is."""

    def __init__(self) -> None:
        self.aim = LONG_AIM
        """Seconds that a step should take."""
        self._size = StepSize(FIRST, 1, MOST)

    def run(self, layers: Sequence[Layer], x: mx.array) -> Generator[None, None, mx.array]:
        """Apply `layers`, one after another, to x [b, t, n]. At the end of each step what it did is evaluated."""
        blocks = -(-x.shape[0] * x.shape[1] // BLOCK)
        place = 0
        while place < len(layers):
            some = layers[place : place + max(1, self._size.units(self.aim) // blocks)]
            with self._size.timed(self.aim, len(some) * blocks):
                for layer in some:
                    x = layer(x)
                mx.eval(x)
            place += len(some)
            yield
        return x
