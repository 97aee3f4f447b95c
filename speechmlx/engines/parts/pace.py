"""LayerPace: evaluates the layers of a network some at a time, so that no step is longer than the worker wants."""

from __future__ import annotations

import time
from collections import defaultdict
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

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.aim = LONG_AIM
        """Seconds that a step should take."""
        self._sizes: defaultdict[str, StepSize] = defaultdict(lambda: StepSize(FIRST, 1, MOST, clock))

    def run(self, layers: Sequence[Layer], x: mx.array, network: str = "") -> Generator[None, None, mx.array]:
        """Apply `layers`, one after another, to x [b, t, ...]. At the end of each step what it did is evaluated.

        They should take about equally long. Steps of each `network` have sizes of their own.
        """
        blocks, size = -(-x.shape[0] * x.shape[1] // BLOCK), self._sizes[network]
        place = 0
        while place < len(layers):
            some = layers[place : place + max(1, size.units(self.aim) // blocks)]
            with size.timed(self.aim, len(some) * blocks):
                for layer in some:
                    x = layer(x)
                mx.eval(x)
            place += len(some)
            yield
        return x


class LayerPaced:
    """What makes an engine `Paced`: its networks have one pace."""

    pace: LayerPace

    @property
    def aim(self) -> float:
        """Seconds that a step should take."""
        return self.pace.aim

    @aim.setter
    def aim(self, seconds: float) -> None:
        self.pace.aim = seconds


def framed(before: Layer, layers: Sequence[Layer], after: Layer) -> list[Layer]:
    """`layers` with less work before and after them, which is no layer of its own: a step of it alone says little."""
    found = [*layers]
    found[0] = _chained(before, found[0])
    found[-1] = _chained(found[-1], after)
    return found


def same(x: mx.array) -> mx.array:
    """Nothing before or after some layers."""
    return x


def applied(layers: Sequence[Layer], x: mx.array) -> mx.array:
    """All `layers`, one after another. Nothing is computed yet."""
    for layer in layers:
        x = layer(x)
    return x


def _chained(first: Layer, second: Layer) -> Layer:
    return lambda x: second(first(x))
