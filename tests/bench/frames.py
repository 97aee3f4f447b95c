"""Frame after frame of a model that talks, ours beside a peer's: what one launches and reads, and how long it takes.

Counts are those of `graphs.Watch` with nothing compiled, so each elementwise operation is a kernel on both sides.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import cache
from typing import Any

import graphs
import mlx.core as mx
import mlx.nn as nn
from report import Row

from speechmlx.engines import cpu

FRAMES = 12
"""In a round that is timed."""
BEFORE = 2
"""Frames before the one that is counted."""

Stepper = Callable[[], object]
"""Gives the next frame of all requests."""
Systems = Mapping[str, Callable[[], Stepper]]
"""What makes a stepper, of "ours" and then of a peer by its name."""


def counts(make: Callable[[], Stepper]) -> graphs.Counts:
    """What one frame launches and reads."""
    mx.disable_compile()
    try:
        with graphs.Watch() as watch:
            step = make()
            for _ in range(BEFORE):
                step()
            watch.take()
            step()
            return watch.take()
    finally:
        mx.enable_compile()


def counted(what: str, systems: Systems) -> list[Row]:
    """Kernels and host reads of a frame; `systems` may be ours alone."""
    found = {name: counts(make) for name, make in systems.items()}
    ours, name = found.pop("ours"), next(iter(found), "")
    theirs = found.get(name)
    return [
        Row(f"{what}: kernels a frame", ours.total, "", None if theirs is None else theirs.total, name),
        Row(f"{what}: host reads a frame", ours.reads, "", None if theirs is None else theirs.reads, name),
    ]


def timed(what: str, systems: Systems, rounds: int) -> Row:
    """A frame, in milliseconds; rounds of both systems take turns. Ours has what the engine process has on a CPU."""
    around = {name: served() if name == "ours" else nullcontext() for name in systems}
    steps = {name: make() for name, make in systems.items()}

    def seconds(name: str) -> float:
        with around[name]:
            return _seconds(steps[name])

    for name in systems:
        seconds(name)
    times = [{name: seconds(name) for name in systems} for _ in range(rounds)]
    ours, theirs = (statistics.median(one[name] for one in times) for name in systems)
    return Row(what, ours * 1000, "ms", theirs * 1000, [*systems][1])


class _Served:
    """While it is entered, MLX's operations are those of the engine process. Enter it as often as you like."""

    def __init__(self) -> None:
        before = self._operations()
        self.is_on_cpu = cpu.install()
        self._ours = {place: one for place, one in self._operations().items() if one is not before.get(place)}
        self._plain = {place: before[place] for place in self._ours}
        self.__exit__()

    def __enter__(self) -> None:
        self._put(self._ours)
        if self.is_on_cpu:
            mx.disable_compile()

    def __exit__(self, *error: object) -> None:
        self._put(self._plain)
        if self.is_on_cpu:
            mx.enable_compile()

    @staticmethod
    def _operations() -> dict[tuple[Any, str], Any]:
        places: tuple[Any, ...] = mx, mx.fast, nn, nn.Linear, nn.Embedding
        names = {place: [name for name in vars(place) if name == "__call__" or name[:2] != "__"] for place in places}
        return {(place, name): getattr(place, name) for place in places for name in names[place]}

    @staticmethod
    def _put(operations: Mapping[tuple[Any, str], Any]) -> None:
        for (place, name), one in operations.items():
            setattr(place, name, one)


served = cache(_Served)
"""The one of this process."""


def _seconds(step: Stepper) -> float:
    start = time.perf_counter()
    for _ in range(FRAMES):
        step()
    return (time.perf_counter() - start) / FRAMES
