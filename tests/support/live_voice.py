"""A scripted voice that takes text while it is written, and engines that have it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

import numpy as np
from support.fake_engines import FakeEngines, row

from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.types import (
    Chunk,
    Command,
    End,
    Event,
    FeedText,
    FlushText,
    Kind,
    Request,
    SpeakStream,
    TextFlushed,
    Usage,
)

RATE = 1000
LOUD, QUIET = np.full(100, 9000, "<i2"), np.zeros(700, "<i2")
ROWS = (row(Kind.LLM), row(Kind.TTS, streams_text=True, rate=RATE))


def chunk(samples: Any) -> Chunk:
    return Chunk(samples.tobytes(), RATE)


class LiveJob:
    """Says each piece of text as a tenth of a second with silence around it.

    It fails at the text "fail", ends at "end", and does not say what has "unsayable" in it.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.commands: list[Command] = []
        self.left = False

    def fed_by(self, source: AsyncIterator[Command]) -> Self:
        self._source = source
        return self

    async def __aenter__(self) -> AsyncIterator[Event]:
        return self._events()

    async def __aexit__(self, *_: object) -> None:
        self.left = True

    async def _events(self) -> AsyncIterator[Event]:
        async for command in self._source:
            self.commands.append(command)
            match command:
                case FeedText("fail"):
                    raise EngineFailed("no")
                case FeedText("end"):
                    return
                case FeedText(text) if "unsayable" in text:
                    raise BadRequest(f"cannot be said: {text!r}")
                case FeedText(text) if text.strip():
                    for part in (QUIET, LOUD, QUIET):
                        yield chunk(part)
                case FlushText():
                    yield TextFlushed()
        self.commands.append(End())
        yield Usage()

    @property
    def text(self) -> str:
        """What it was fed."""
        return "".join(command.text for command in self.commands if isinstance(command, FeedText))


class LiveEngines(FakeEngines):
    def submit(self, request: Request) -> Any:
        if isinstance(request, SpeakStream):
            self.jobs.append(LiveJob(request))  # type: ignore[arg-type]
            return self.jobs[-1]
        return super().submit(request)

    @property
    def voices(self) -> list[LiveJob]:
        return [job for job in self.jobs if isinstance(job, LiveJob)]

    @property
    def voice(self) -> LiveJob:
        (found,) = self.voices
        return found
