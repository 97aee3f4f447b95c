"""Lines from the events of a session: when one closes, who speaks, silence, and turns that overlap."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from speechmlx.conversation.events import (
    Advanced,
    Committed,
    Event,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import EngineFailed
from speechmlx.protocols.whisperlivekit.lines import CaptionLine, LineBuilder
from speechmlx.types import Word

PREFIX = 0.3


def said(
    text: str, start: float = 0.0, item: str = "a", tail: str = "", language: str | None = None, speakers: str = ""
) -> TranscriptDelta:
    """Words of 0.5 s each, from `start` on; `speakers` has one letter for each, or none."""
    names = [*speakers, *[None] * 1000]
    timed = [Word(f" {word}", start + n / 2, start + n / 2 + 0.5, 0.9, names[n]) for n, word in enumerate(text.split())]
    unsure = tuple(Word(f" {word}", start, start, 0.5) for word in tail.split())
    return TranscriptDelta(item, TranscriptUpdate(text, tuple(timed), unsure, language))


def done(item: str = "a") -> TranscriptDone:
    return TranscriptDone(item, Transcript(""), 1.0)


def spoken(item: str, start: float, end: float) -> list[Event]:
    """A turn with speech from `start` to `end`, and 0.5 s of silence."""
    begin = SpeechStarted(item, max(0.0, start - PREFIX))
    return [begin, SpeechPaused(item, end, end + 0.2), SpeechStopped(item, end + 0.5), Committed(item, None)]


def built(events: Iterable[Event], ends: bool = False) -> LineBuilder:
    builder = LineBuilder(PREFIX)
    for event in events:
        builder.take(event)
    if ends:
        builder.finish()
    return builder


def texts(lines: Iterable[CaptionLine]) -> list[str | None]:
    return [None if line.text is None else line.text.strip() for line in lines]


START = SpeechStarted("a", 0.0)


def test_words_grow_the_open_line_and_the_tail_follows() -> None:
    builder = built([START, said("one two", tail="three"), said("three", 1.0, tail="four five")])
    assert builder.drain() == []
    assert builder.open == CaptionLine(1, " one two three", 0.0, 1.5, words=3, item="a")
    assert builder.tail == "four five"


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        ("It is. He", ["It is."]),
        ("Is it? No! Well… so", ["Is it?", "No!", "Well…"]),
        ('He said "yes." Then', ['He said "yes."']),
        ("是的。 不", ["是的。"]),
        ("Mr. Dr. J. Smith", []),
        ("It costs 3.50 today", []),
        ("a, b; c: d", []),
    ],
)
def test_a_sentence_closes_its_line(words: str, closed: list[str]) -> None:
    assert texts(built([START, said(words)]).drain()) == closed


def test_the_end_of_a_turn_closes_its_line() -> None:
    builder = built([START, said("one two", tail="three"), done()])
    assert texts(builder.drain()) == ["one two"] and builder.open is None and builder.tail == ""


def test_a_turn_that_failed_keeps_its_words() -> None:
    builder = built([START, said("one two"), TranscriptFailed("a", EngineFailed("no"))])
    assert texts(builder.drain()) == ["one two"]


def test_a_line_has_forty_words_at_most() -> None:
    lines = built([START, *(said("word", n * 0.1) for n in range(85)), done()]).drain()
    assert [len((line.text or "").split()) for line in lines] == [40, 40, 5]


def test_a_line_lasts_thirty_seconds_at_most() -> None:
    lines = built([START, *(said("word", n * 4.0) for n in range(16)), done()]).drain()
    assert [(line.start, line.end) for line in lines] == [(0.0, 28.5), (32.0, 60.5)]


def test_a_change_of_speaker_closes_the_line_and_speakers_are_numbered_as_they_come() -> None:
    lines = built([START, said("yes no , maybe ok fine", speakers="77799" + "7"), done()]).drain()
    assert [(line.speaker, line.text) for line in lines] == [(1, " yes no ,"), (2, " maybe ok"), (1, " fine")]


def test_punctuation_and_words_of_nobody_stay_with_the_last_speaker() -> None:
    events: list[Event] = [START, said("yes", speakers="A"), said(",", 0.5, speakers="B"), said("so", 1.0), done()]
    assert [(line.speaker, line.text) for line in built(events).drain()] == [(1, " yes , so")]


def test_words_without_a_speaker_yet_are_shown_and_not_in_a_line() -> None:
    waiting = (Word(" two", 1.5, 2.0, 0.9), Word(" three", 2.0, 2.5, 0.9))
    update = TranscriptUpdate("", (), (Word(" four", 2.5, 3.0, 0.4),), unattributed=waiting)
    builder = built([START, said("one", speakers="A"), TranscriptDelta("a", update)])
    assert texts([builder.open] if builder.open else []) == ["one"]
    assert (builder.unattributed, builder.tail, builder.unattributed_since) == ("two three", "four", 1.5)
    builder.take(said("two three", 1.5, speakers="AA"))
    assert (builder.unattributed, builder.unattributed_since) == ("", None)


def test_the_language_of_a_line_is_the_one_that_was_detected() -> None:
    assert built([START, said("ja", language="de"), done()]).drain()[0].language == "de"
    assert built([START, said("ja"), done()]).drain()[0].language is None


@pytest.mark.parametrize(("pause", "lines"), [(4.9, 0), (5.0, 0), (5.1, 1), (60.0, 1)])
def test_only_a_pause_of_more_than_five_seconds_is_a_line(pause: float, lines: int) -> None:
    first, second = spoken("a", 0.0, 1.0), spoken("b", 1.0 + pause, 2.0 + pause)
    closed = built([*first, said("one"), done(), *second, said("two", 1.0 + pause, "b"), done("b")]).drain()
    silences = [line for line in closed if line.speaker == -2]
    assert len(silences) == lines and len(closed) == 2 + lines
    if silences:
        assert closed.index(silences[0]) == 1
        assert silences[0] == CaptionLine(-2, None, 1.0, pytest.approx(1.0 + pause))  # type: ignore[arg-type]


def test_silence_before_the_first_words_and_after_the_last_ones_is_a_line() -> None:
    events = [*spoken("a", 6.0, 7.0), said("one", 6.0), done(), Advanced(14.0, 14.0, 14.0, False)]
    builder = built(events)
    assert [line.speaker for line in builder.drain()] == [-2, 1]
    builder.finish()
    assert builder.drain() == [CaptionLine(-2, None, 7.0, 14.0)]


def test_silence_that_only_noise_interrupts_is_one_line() -> None:
    noise: list[Event] = [*spoken("a", 6.0, 6.5), done()]
    closed = built([*noise, *spoken("b", 13.0, 14.0), said("one", 13.0, "b"), done("b")]).drain()
    assert closed[0] == CaptionLine(-2, None, 0.0, 13.0) and texts(closed) == [None, "one"]
    assert built([*noise, Advanced(20.0, 20.0, 20.0, False)], ends=True).drain() == [CaptionLine(-2, None, 0.0, 20.0)]
    assert built([*noise, Advanced(8.0, 8.0, 8.0, False)], ends=True).drain() == [CaptionLine(-2, None, 0.0, 6.0)]


def test_a_session_of_silence_alone_is_one_line_at_its_end() -> None:
    builder = built([Advanced(n / 10, n / 10, n / 10, False) for n in range(600)])
    assert builder.drain() == []
    builder.finish()
    assert builder.drain() == [CaptionLine(-2, None, 0.0, 59.9)]


def test_speech_that_goes_on_to_the_end_has_no_silence_after_it() -> None:
    paused = SpeechPaused("a", 1.0, 1.2)
    events: list[Event] = [START, paused, SpeechResumed("a"), said("one"), SpeechStopped("a", 30.0), done()]
    assert texts(built(events, ends=True).drain()) == ["one"]


def test_words_of_a_turn_wait_for_the_turn_before_it() -> None:
    builder = built([*spoken("a", 0.0, 1.0), said("one"), *spoken("b", 2.0, 3.0), said("three", 2.0, "b", "four")])
    assert builder.drain() == [] and builder.tail == "three four"
    builder.take(said("two", 0.5))
    builder.take(done())
    assert texts(builder.drain()) == ["one two"]
    assert builder.open is not None and builder.open.text == " three" and builder.tail == "four"


def test_a_turn_that_was_dropped_does_not_hold_up_the_next() -> None:
    builder = built([START, said("one"), SpeechStarted("b", 3.0), said("two", 3.0, "b")])
    assert texts(builder.drain()) == ["one"]
    assert builder.open is not None and builder.open.text == " two"


def test_words_that_come_after_their_turn_are_a_line_of_their_own() -> None:
    assert texts(built([START, said("one"), done(), said("two", 1.0)]).drain()) == ["one", "two"]


def test_a_transcript_without_word_times_lasts_from_the_last_word_to_now() -> None:
    events = [*spoken("a", 1.0, 3.0), TranscriptDelta("a", TranscriptUpdate("all at once")), done()]
    (line,) = built(events).drain()
    assert (line.text, line.start, line.end) == ("all at once", 0.7, 3.5)


def test_the_end_closes_everything() -> None:
    builder = built([START, said("one", tail="two"), SpeechStopped("a", 2.0)], ends=True)
    assert texts(builder.drain()) == ["one"] and (builder.open, builder.tail) == (None, "")
