"""StepSize: how much work an engine does in one step, by the time that the last steps took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SLOW = 1.5
"""A step that took this many times what it should is too long; one that took half or less may be doubled."""


class StepSize:
    """A power of two between `least` and `most`, for each aim: units of work, such as tokens, in one step.

    An aim is the time that a step should take, in seconds. A size doubles after one step that took at most half of it,
    and shrinks after two steps that took SLOW times as long with none between them that shows the opposite: one alone
    may have compiled kernels, or another process had the machine. So sizes settle where steps take between half of the
    aim and SLOW of it, within the bounds.
    """

    def __init__(self, first: int, least: int, most: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._first, self._least, self._most = first, least, most
        self._clock = clock
        self._sizes: dict[float, int] = {}
        self._slow: dict[float, float] = {}
        """By aim: seconds of the last step per unit, where it was slow."""

    def units(self, aim: float) -> int:
        """Units of work for a step that should take `aim` seconds."""
        return self._sizes.get(aim, self._first)

    @contextmanager
    def timed(self, aim: float, units: int) -> Iterator[None]:
        """A step of `units` is done inside.

        Half of `units(aim)` or fewer, as at the end of work, make no step longer and say nothing against a slow one.
        """
        start = self._clock()
        yield
        self._learn(aim, units, self._clock() - start)

    def _learn(self, aim: float, units: int, seconds: float) -> None:
        size, per_unit = self.units(aim), seconds / units
        if seconds > SLOW * aim:
            if (before := self._slow.get(aim)) is None:
                self._slow[aim] = per_unit
                return
            fitting = int(aim / min(before, per_unit))
            self._sizes[aim] = max(self._least, min(size // 2, _power_below(fitting)))
        elif 2 * units <= size or size * per_unit > SLOW * aim:
            return  # the rest of some work: a whole step may still be slow
        elif 2 * size * per_unit <= aim:
            self._sizes[aim] = min(self._most, 2 * size)
        self._slow.pop(aim, None)


def _power_below(number: int) -> int:
    """The largest power of two up to `number`, at least 1."""
    return 1 << max(0, number.bit_length() - 1)
