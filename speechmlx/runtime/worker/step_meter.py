"""StepMeter: how long the engine's steps take, for the server's metrics."""

from __future__ import annotations

from collections import defaultdict

from speechmlx.runtime.histogram import Histogram
from speechmlx.runtime.ipc.messages import EngineReport
from speechmlx.runtime.worker.device import memory_in_use

INTERVAL = 1.0
"""Seconds between two reports, at least."""


class StepMeter:
    """Counts steps; `report` gives what was counted when it is time to. Times are in seconds of the worker's clock."""

    def __init__(self) -> None:
        self._steps: defaultdict[str, Histogram] = defaultdict(Histogram)
        self._aims: dict[str, float] = {}
        self._slices = 0
        self._waiting = 0
        self._reported = float("-inf")

    def count(self, model: str, seconds: float) -> None:
        """A step of `model` took `seconds`."""
        self._steps[model].observe(seconds)

    def aim(self, model: str, seconds: float) -> None:
        """The next step of `model` should take `seconds`."""
        self._aims[model] = seconds

    def count_slice(self) -> None:
        """A slice of a load is done. Reports say so too: they are the sign that no step hangs."""
        self._slices += 1

    def report(self, now: float, waiting: int, idle: bool) -> EngineReport | None:
        """What happened since the last report; None where nothing did, or less than INTERVAL ago unless `idle`."""
        changed = bool(self._steps) or self._slices > 0 or waiting != self._waiting
        if not changed or (now - self._reported < INTERVAL and not idle):
            return None
        steps, self._steps = dict(self._steps), defaultdict(Histogram)
        self._slices, self._waiting, self._reported = 0, waiting, now
        aims = {model: self._aims[model] for model in steps if model in self._aims}
        return EngineReport(steps, waiting, memory_in_use(), aims)
