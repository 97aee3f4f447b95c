"""Speech by a voice that takes text while it is written: its clauses, their text and their sound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Self

import numpy as np
import pytest
from support.fake_engines import FakeEngines, FakeJob, Step, row

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.response.answer import ClauseEnded, ClauseGrown, ClauseStarted, Piece
from speechmlx.conversation.response.cascade import answer
from speechmlx.conversation.response.preemptive import AnswerRequest
from speechmlx.conversation.response.synthesis import AFTER_PHRASE, AFTER_SENTENCE
from speechmlx.errors import EngineFailed
from speechmlx.types import (
    Chunk,
    Command,
    End,
    Event,
    FeedText,
    FlushText,
    Generate,
    Kind,
    NamedVoice,
    Pronunciation,
    Request,
    Speak,
    SpeakStream,
    TextDelta,
    TextFlushed,
    Usage,
)

RATE = 1000
LOUD, QUIET = np.full(100, 9000, "<i2"), np.zeros(700, "<i2")
ROWS = (row(Kind.LLM), row(Kind.TTS, streams_text=True, rate=RATE))
CLOCK = Clock(lambda: 0.0, lambda: 0.0)


def chunk(samples: Any) -> Chunk:
    return Chunk(samples.tobytes(), RATE)


class LiveJob:
    """Says each piece of text as a tenth of a second with silence around it; fails at the text "fail"."""

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
                case FeedText(text) if text.strip():
                    for part in (QUIET, LOUD, QUIET):
                        yield chunk(part)
                case FlushText():
                    yield TextFlushed()
        self.commands.append(End())
        yield Usage()


class LiveEngines(FakeEngines):
    def submit(self, request: Request) -> Any:
        if isinstance(request, SpeakStream):
            self.jobs.append(LiveJob(request))  # type: ignore[arg-type]
            return self.jobs[-1]
        return super().submit(request)

    @property
    def voice(self) -> LiveJob:
        (found,) = (job for job in self.jobs if isinstance(job.request, SpeakStream))
        return found  # type: ignore[return-value]


async def made(text: Iterable[Step], speech: Speak = Speak(text="")) -> tuple[list[Piece], LiveJob]:  # noqa: B008
    engines = LiveEngines(lambda request: text, ROWS)
    request = AnswerRequest(Generate(messages=()), speech)
    try:
        async with aclosing(answer(engines, engines.submit, request, CLOCK)) as pieces:
            return [piece async for piece in pieces if not isinstance(piece, TextDelta | Usage)], engines.voice
    finally:
        assert all(job.left for job in engines.jobs)


def seconds(pieces: list[Piece]) -> list[float]:
    """The length of each clause's sound."""
    found = [0.0]
    for piece in pieces:
        if isinstance(piece, Chunk):
            found[-1] += piece.duration
        elif isinstance(piece, ClauseEnded):
            found.append(0.0)
    return [round(one, 3) for one in found[:-1]]


async def test_text_is_fed_while_it_is_written_and_a_sentence_is_a_clause() -> None:
    pieces, job = await made([TextDelta("It is very "), 0.01, TextDelta("late now. "), 0.01, TextDelta("Go home.")])
    fed = [
        FeedText("It is very "),
        FeedText("late now."),
        FeedText(" "),
        FlushText(),
        FeedText("Go home."),
        FlushText(),
    ]
    assert job.commands == [*fed, End()]
    assert [piece for piece in pieces if not isinstance(piece, Chunk)] == [
        ClauseStarted("It is very "), ClauseGrown("late now."), ClauseGrown(" "), ClauseEnded(),
        ClauseStarted("Go home."), ClauseEnded(),
    ]  # fmt: skip
    assert pieces[1] == chunk(np.concatenate([QUIET[:50], LOUD]))
    middle, lead = 1.4, 0.05
    assert seconds(pieces) == [lead + 0.1 + middle + 0.1 + AFTER_SENTENCE, lead + 0.1 + AFTER_SENTENCE]


async def test_the_request_is_that_of_the_clauses() -> None:
    entries = (Pronunciation("nguyen", sounds_like="win"),)
    speech = Speak(text="", voice=NamedVoice("anna"), language="de", pronunciations=entries)
    _, job = await made([TextDelta("Ja.")], speech)
    assert job.request == SpeakStream(voice=NamedVoice("anna"), language="de", pronunciations=entries)


async def test_a_pause_has_its_length() -> None:
    pieces, job = await made([TextDelta("Wait a while [pause:1s]Go.")])
    assert FeedText("Wait a while ") in job.commands
    assert seconds(pieces) == [0.05 + 0.1 + AFTER_PHRASE + 1.0, 0.05 + 0.1 + AFTER_SENTENCE]
    assert [piece.text for piece in pieces if isinstance(piece, ClauseStarted)] == ["Wait a while [pause:1s]", "Go."]


async def test_a_failure_of_the_voice_ends_it() -> None:
    with pytest.raises(EngineFailed, match="no"):
        await made([TextDelta("Yes, it is "), 0.01, TextDelta("fail"), 60.0])


async def test_a_voice_that_ends_before_its_text() -> None:
    pieces, _ = await made([TextDelta("Yes, it is "), 0.01, TextDelta("end"), 0.01, TextDelta(" of it. Over.")])
    assert [piece for piece in pieces if not isinstance(piece, Chunk)] == [
        ClauseStarted("Yes, it is "), ClauseGrown("end"), ClauseEnded(),
    ]  # fmt: skip


async def test_closing_it_leaves_every_job() -> None:
    engines = LiveEngines(lambda request: [TextDelta("It is very late"), 60.0], ROWS)
    pieces = answer(engines, engines.submit, AnswerRequest(Generate(messages=()), Speak(text="")), CLOCK)
    while not isinstance(await anext(pieces), Chunk):
        pass
    await pieces.aclose()
    assert len(engines.jobs) == 2 and all(job.left for job in engines.jobs)


async def test_another_voice_gets_clauses() -> None:
    sound = [chunk(LOUD)]
    rows = (ROWS[0], row(Kind.TTS, rate=RATE))
    engines = FakeEngines(lambda request: [TextDelta("Hi.")] if isinstance(request, Generate) else sound, rows)
    request = AnswerRequest(Generate(messages=()), Speak(text=""))
    async with aclosing(answer(engines, engines.submit, request, CLOCK)) as pieces:
        assert [piece async for piece in pieces][1:] == [ClauseStarted("Hi."), *sound, ClauseEnded()]
    assert isinstance(engines.jobs[1], FakeJob) and isinstance(engines.jobs[1].request, Speak)
