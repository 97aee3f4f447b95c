"""A model that hears live audio and a large one that is loaded in slices, in the time of a simulated machine."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from support import scripted

from speechmlx.engines import LoadOptions
from speechmlx.types import Event, Kind, Probability, Progress, Request

FRAME = 0.08
"""Seconds of a piece of live audio."""
SLICES, SLICE = 400, 0.04
"""Of the load, in seconds: a model of 7 billion weights has some 15 GB, which are read and settled in so many."""
HERE = "support.simulated_machine"
LIVE = replace(scripted.ROW, name="live", kind=Kind.ENHANCE, engine=f"{HERE}:load_live")
LARGE = replace(LIVE, name="large", engine=f"{HERE}:load_large")


class Machine:
    now = 0.0
    cost = 0.0
    """Seconds of a live step."""
    event: Event = Probability(0.5, 0.0, FRAME)
    """What it gives."""


class Hearing:
    nbytes = 1_000_000

    def open(self, request: Request) -> Hearing:
        return self

    def feed(self, samples: object) -> Iterator[Event | None]:
        Machine.now += Machine.cost
        yield Machine.event

    def finish(self) -> Iterator[Event | None]:
        yield None

    def close(self) -> None:
        pass


def load_live(folder: Path, options: LoadOptions) -> Generator[Progress, None, Hearing]:
    yield Progress("load", 1, 1)
    return Hearing()


def load_large(folder: Path, options: LoadOptions) -> Generator[Progress, None, Hearing]:
    for done in range(SLICES):
        Machine.now += SLICE
        yield Progress("load", done, SLICES)
    return Hearing()
