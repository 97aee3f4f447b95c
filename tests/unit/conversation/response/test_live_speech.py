"""Speech by a voice that takes text while it is written: its clauses, their text and their sound."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing

import numpy as np
import pytest
from support.fake_engines import FakeEngines, FakeJob, Step, row
from support.live_voice import LOUD, QUIET, RATE, ROWS, LiveEngines, LiveJob, chunk

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.response import written_text
from speechmlx.conversation.response.answer import ClauseEnded, ClauseGrown, ClauseStarted, Piece
from speechmlx.conversation.response.cascade import answer
from speechmlx.conversation.response.preemptive import AnswerRequest
from speechmlx.conversation.response.synthesis import AFTER_PHRASE, AFTER_SENTENCE
from speechmlx.conversation.response.written_speech import speak_written
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import EngineFailed
from speechmlx.runtime.channel import Channel
from speechmlx.types import (
    Chunk,
    End,
    FeedText,
    FlushText,
    Generate,
    Kind,
    NamedVoice,
    Pronunciation,
    Speak,
    SpeakStream,
    TextDelta,
    Usage,
)

CLOCK = Clock(lambda: 0.0, lambda: 0.0)


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


# --- what cannot be said, and who writes slowly ---


def text_of(*pieces: str) -> Channel[TimedText]:
    """A text that is written, and not over."""
    text = Channel[TimedText]()
    for number, piece in enumerate(pieces):
        text.put(TimedText(piece, number * 0.01))
    return text


async def spoken(engines: LiveEngines, text: Channel[TimedText]) -> list[Piece]:
    async with aclosing(speak_written(engines, Speak(text=""), text)) as pieces:
        return [piece async for piece in pieces]


def refusals(pieces: list[Piece]) -> list[str | None]:
    """Of each clause, why it is silent."""
    ends = (piece for piece in pieces if isinstance(piece, ClauseEnded))
    return [None if end.refused is None else str(end.refused) for end in ends]


async def test_a_sentence_that_cannot_be_said_is_left_out() -> None:
    text = text_of("It is very late. This is unsayable", ", they say. And now ", "go to bed. Good ", "night.")
    text.end()
    engines = LiveEngines(rows=ROWS)
    pieces = await spoken(engines, text)
    assert refusals(pieces) == [None, "cannot be said: 'This is unsayable'", None]
    assert [job.text for job in engines.voices][1:] == ["And now go to bed. Good night."]
    assert [length > 0.5 for length in seconds(pieces)] == [True, False, True]
    said = [piece.text for piece in pieces if isinstance(piece, ClauseStarted | ClauseGrown)]
    assert "".join(said) == "It is very late. This is unsayable, they say. And now go to bed. Good night."
    assert all(job.left for job in engines.jobs)


async def test_a_sentence_that_cannot_be_said_ends_where_its_text_does() -> None:
    text = text_of("An unsayable thing is ", "here now", ". And ", "another thing.")
    text.end()
    engines = LiveEngines(rows=ROWS)
    pieces = await spoken(engines, text)
    assert refusals(pieces) == ["cannot be said: 'An unsayable thing is '", None]
    assert pieces[0] == ClauseStarted("An unsayable thing is here now. ")
    assert [job.text for job in engines.voices] == ["An unsayable thing is ", "And another thing."]


async def test_a_pause_that_is_too_long_is_told() -> None:
    text, engines = text_of("Wait a while. [pause:11s] Go on."), LiveEngines(rows=ROWS)
    text.end()
    pieces = await spoken(engines, text)
    first, second = refusals(pieces)
    assert first is not None and "a pause has 10 s at most" in first and second is None
    assert seconds(pieces)[0] > 10.0


async def test_a_voice_is_not_held_for_a_text_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written of a sentence is said to its end then, and what comes later is another job's."""
    monkeypatch.setattr(written_text, "HELD", 0.0)
    text, engines, found = text_of("It is very late and "), LiveEngines(rows=ROWS), list[Piece]()
    async with aclosing(speak_written(engines, Speak(text=""), text)) as pieces:
        async for piece in pieces:
            found.append(piece)
            if isinstance(piece, ClauseEnded) and not text.ended:
                text.put(TimedText("I go to bed now.", 1.0))
                text.end()
    first, second = engines.voices
    assert first.commands == [FeedText("It is very late and "), FlushText(), End()]
    assert second.text == "I go to bed now." and refusals(found) == [None, None]
    assert [piece.text for piece in found if isinstance(piece, ClauseStarted)] == [first.text, second.text]


@pytest.mark.parametrize(
    ("later", "clauses", "silence"),
    [([], [], 0.0), ([" "], [], 0.0), ([" ", "?!"], [" ?!"], 0.0), ([" [pause:1s]"], [" [pause:1s]"], 1.0)],
)
async def test_a_pause_behind_all_that_was_said_needs_no_other_job(
    later: list[str], clauses: list[str], silence: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The voice may have no place for one."""
    monkeypatch.setattr(written_text, "HELD", 0.0)
    text, engines, found = text_of("It is very late and "), LiveEngines(rows=ROWS), list[Piece]()
    async with aclosing(speak_written(engines, Speak(text=""), text)) as pieces:
        async for piece in pieces:
            found.append(piece)
            if isinstance(piece, ClauseEnded) and not text.ended:
                for more in later:
                    text.put(TimedText(more, 20.0))
                text.end()
    assert engines.voice.commands == [FeedText("It is very late and "), FlushText(), End()]
    said = [piece.text for piece in found if isinstance(piece, ClauseStarted)]
    assert said == ["It is very late and ", *clauses] and refusals(found) == [None] * len(said)
    assert seconds(found)[1:] == [silence] * len(clauses)


async def test_signs_alone_are_the_voice_s_silence() -> None:
    text, engines = text_of("..."), LiveEngines(rows=ROWS)
    text.end()
    await spoken(engines, text)
    assert engines.voice.text == "..."


async def test_a_short_sentence_is_said_where_nothing_comes_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_text, "HELD", 0.0)
    text, engines = text_of("Hello."), LiveEngines(rows=ROWS)
    async with aclosing(speak_written(engines, Speak(text=""), text)) as pieces:
        async for piece in pieces:
            if isinstance(piece, ClauseEnded):
                text.end()
    assert engines.voice.commands == [FeedText("Hello."), FlushText(), End()]
