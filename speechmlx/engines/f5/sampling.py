"""From noise to a spectrogram: the times at which a network is asked for the direction, and how far answers lead."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import pairwise

import mlx.core as mx

Direction = Callable[[mx.array, float], Generator[None, None, mx.array]]
"""The direction at a point and a time, in steps."""
METHODS = ("euler", "midpoint", "rk4")
"""Ways from one time to the next: they ask once, twice and four times."""
PRUNED = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""By number of steps: those of 32 that matter most, for Euler's method."""


@dataclass(frozen=True)
class Sampling:
    """How a spectrogram is made of noise."""

    method: str
    steps: int
    guidance: float
    """How far the direction goes beyond the one that knows neither the text nor the recording; 0: not at all."""
    sway: float
    """-1 to 1: below 0 the steps are shorter at the beginning, above at the end; 0: they are even."""
    seed: int

    def times(self) -> list[float]:
        """From 0 to 1."""
        pruned = PRUNED.get(self.steps) if self.method == "euler" else None
        even = [time / 32 for time in pruned] if pruned else [step / self.steps for step in range(self.steps + 1)]
        return [time + self.sway * (math.cos(math.pi / 2 * time) - 1 + time) for time in even]

    def follow(self, x: mx.array, direction: Direction) -> Generator[None, None, mx.array]:
        """Lead `x` from time 0 to time 1. Yields after each step."""
        times = self.times()
        for start, end in pairwise(times):
            x = yield from _WAYS[self.method](x, start, end - start, direction)
            mx.eval(x)
        return x


Way = Generator[None, None, mx.array]


def _euler(x: mx.array, time: float, step: float, direction: Direction) -> Way:
    slope = yield from direction(x, time)
    return x + step * slope


def _midpoint(x: mx.array, time: float, step: float, direction: Direction) -> Way:
    slope = yield from direction(x, time)
    slope = yield from direction(x + step / 2 * slope, time + step / 2)
    return x + step * slope


def _rk4(x: mx.array, time: float, step: float, direction: Direction) -> Way:
    first = yield from direction(x, time)
    second = yield from direction(x + step / 2 * first, time + step / 2)
    third = yield from direction(x + step / 2 * second, time + step / 2)
    fourth = yield from direction(x + step * third, time + step)
    return x + step / 6 * (first + 2 * second + 2 * third + fourth)


_WAYS = {"euler": _euler, "midpoint": _midpoint, "rk4": _rk4}
