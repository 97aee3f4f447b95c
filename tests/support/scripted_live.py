"""A scripted `BatchedStreaming` engine: each command takes two pieces of work, the second shared by all streams."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from support.scripted import ROW

from speechmlx.engines import LoadOptions
from speechmlx.errors import BadAudio, Unsupported
from speechmlx.types import Command, End, Event, Feed, Hypothesis, Kind, Listen, Progress, Request, Word

LIVE_ROW = replace(ROW, name="scripted-live", kind=Kind.ASR, rate=16_000, engine="support.scripted_live:load")


@dataclass(eq=False)
class Words:
    """A live input that takes two pieces of work per command: the first alone, the second shared."""

    work: int = 0
    text: int = 0
    ending: bool = False
    finished: bool = False
    fails: bool = False

    @property
    def busy(self) -> bool:
        return self.work > 0


class LiveEngine:
    """Steps the first stream's own work; work that is shared advances every stream that has such."""

    nbytes = 0

    def __init__(self, max_batch: int = 4) -> None:
        self.max_batch = max_batch
        self.ended: list[Words] = []
        self.stepped: list[list[Words]] = []

    def begin(self, request: Request) -> Words:
        if not isinstance(request, Listen):
            raise Unsupported("only Listen")
        return Words()

    def feed(self, state: Words, command: Command) -> None:
        assert not state.busy, "fed only when idle"
        if isinstance(command, Feed) and not np.isfinite(command.samples).all():
            raise BadAudio("not finite")
        state.work, state.ending = 2, isinstance(command, End)

    def step(self, states: Sequence[Words]) -> list[list[Event | Exception]]:
        self.stepped.append(list(states))
        shared = [state for state in states if state.work == 1] if states[0].work == 1 else states[:1]
        for state in shared:
            state.work -= 1
        return [self._events(state) if state in shared and not state.work else [] for state in states]

    def _events(self, state: Words) -> list[Event | Exception]:
        state.finished = state.ending
        if state.fails:
            return [RuntimeError("scripted")]
        state.text += 1
        return [Hypothesis((Word(f" {state.text}", 0.0, 1.0, 1.0),), ())]

    def end(self, state: Words) -> None:
        self.ended.append(state)


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, LiveEngine]:
    yield Progress("load", 1, 1)
    return LiveEngine()
