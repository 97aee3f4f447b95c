"""Frame after frame of a model that talks, ours beside a peer's: what one launches and reads, and how long it takes.

Counts are those of `graphs.Watch` with nothing compiled, so each elementwise operation is a kernel on both sides.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import graphs
import mlx.core as mx
from report import Row

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
    """A frame, in milliseconds; rounds of both systems take turns."""
    steps = {name: make() for name, make in systems.items()}
    for step in steps.values():
        _seconds(step)
    times = [{name: _seconds(step) for name, step in steps.items()} for _ in range(rounds)]
    ours, theirs = (statistics.median(one[name] for one in times) for name in systems)
    return Row(what, ours * 1000, "ms", theirs * 1000, [*systems][1])


def _seconds(step: Stepper) -> float:
    start = time.perf_counter()
    for _ in range(FRAMES):
        step()
    return (time.perf_counter() - start) / FRAMES
