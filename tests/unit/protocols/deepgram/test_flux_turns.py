"""Turns of Flux: the state machine, what ends a turn, and its rules at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.conversation import events
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.protocols.deepgram.flux_options import FluxThresholds
from speechmlx.protocols.deepgram.flux_turns import FluxTurns, end_confidence
from speechmlx.protocols.deepgram.words import WordSpelling
from speechmlx.types import Word

Message = dict[str, Any]
DONE = Transcript("")
SPELLING = WordSpelling(punctuate=True, filler_words=True)
DEFAULT = FluxThresholds()
EAGER = FluxThresholds(eot_threshold=0.8, eager_eot_threshold=0.4)


def word(text: str, start: float, end: float) -> Word:
    return Word(f" {text}", start, end, 0.9)


def delta(item: str, *words: Word, tail: tuple[Word, ...] = ()) -> events.TranscriptDelta:
    update = TranscriptUpdate("".join(each.text for each in words), words, tail, "en")
    return events.TranscriptDelta(item, update)


def advanced(start: float, end: float) -> list[events.Event]:
    """Progress every 0.1 s."""
    steps = range(round(start * 10), round(end * 10) + 1)
    return [events.Advanced(step / 10, step / 10, step / 10, False) for step in steps]


def said(item: str, start: float, *texts: str) -> list[events.Event]:
    """A turn of the session: words of 0.3 s, then 0.4 s of silence."""
    words = [word(text, start + n * 0.3, start + n * 0.3 + 0.3) for n, text in enumerate(texts)]
    over = start + len(texts) * 0.3
    return [
        events.SpeechStarted(item, start),
        *(delta(item, each) for each in words),
        events.SpeechPaused(item, over, over + 0.2),
        *advanced(over, over + 0.4),
        events.SpeechStopped(item, over + 0.4),
        events.TranscriptDone(item, DONE, over + 0.4 - start),
    ]


def turns(thresholds: FluxThresholds = DEFAULT, detects_language: bool = False) -> FluxTurns:
    return FluxTurns(thresholds, SPELLING, detects_language)


def told(on: FluxTurns, *happened: events.Event) -> list[Message]:
    return [message for event in happened for message in on.take(event)]


def story(messages: list[Message]) -> list[tuple[str, str]]:
    """What happened in the turns, and their words."""
    return [(each["event"], each["transcript"]) for each in messages if each["event"] != "Update"]


def test_confidence_grows_with_silence_and_after_a_sentence() -> None:
    assert end_confidence(0.0, "Yes.") == end_confidence(1.0, "") == 0.0
    assert end_confidence(0.5, "Yes.") > end_confidence(0.5, "Yes") > end_confidence(0.3, "Yes")
    assert end_confidence(0.55, "Yes.") > 0.7 > end_confidence(0.9, "and")
    assert end_confidence(0.5, 'He said "no."') == end_confidence(0.5, "はい。")


def test_a_turn_ends_by_the_model() -> None:
    messages = told(turns(), *said("a", 0.0, "Hello", "there."), *advanced(1.1, 1.6))
    assert story(messages) == [("StartOfTurn", "Hello"), ("EndOfTurn", "Hello there.")]
    end = next(each for each in messages if each["event"] == "EndOfTurn")
    assert (end["trigger"], end["turn_index"], end["audio_window_start"]) == ("model", 0, 0.0)
    assert end["end_of_turn_confidence"] >= 0.7
    assert [each["word"] for each in end["words"]] == ["Hello", "there."]


def test_an_early_end_is_taken_back_by_speech_and_confirmed_by_silence() -> None:
    messages = told(
        turns(EAGER), *said("a", 0.0, "one"), *advanced(0.8, 1.1), *said("b", 1.2, "two"), *advanced(1.9, 3)
    )
    assert story(messages) == [
        ("StartOfTurn", "one"),
        ("EagerEndOfTurn", "one"),
        ("TurnResumed", "one two"),
        ("EagerEndOfTurn", "one two"),
        ("EndOfTurn", "one two"),
    ]


def test_turns_are_counted_and_their_windows_follow_each_other() -> None:
    messages = told(turns(), *said("a", 0.0, "one."), *advanced(0.8, 2), *said("b", 2.0, "two."), *advanced(2.8, 4))
    first, second = (each for each in messages if each["event"] == "EndOfTurn")
    assert (first["turn_index"], second["turn_index"]) == (0, 1)
    assert first["audio_window_end"] == second["audio_window_start"]


def test_silence_ends_a_turn_of_which_the_model_is_not_sure() -> None:
    thresholds = FluxThresholds(eot_threshold=1.0, eot_timeout_ms=3000)
    messages = told(turns(thresholds), *said("a", 0.0, "one"), *advanced(0.8, 4.0))
    end = next(each for each in messages if each["event"] == "EndOfTurn")
    assert end["trigger"] == "timeout"
    assert end["audio_window_end"] == pytest.approx(3.3)


def test_a_client_ends_a_turn_and_the_next_one_begins_behind_it() -> None:
    steps: list[events.Event] = [events.SpeechStarted("a", 0.0), delta("a", tail=(word("one", 0.0, 0.3),))]
    steps += [delta("a", word("one", 0.0, 0.3)), events.Flushed(), delta("a", word("two", 0.5, 0.8))]
    messages = told(turns(), *steps)
    assert story(messages) == [("StartOfTurn", "one"), ("EndOfTurn", "one"), ("StartOfTurn", "two")]
    assert messages[1]["trigger"] == "manual"
    assert told(turns(), events.Flushed()) == []


def test_missing_audio_ends_a_turn() -> None:
    steps: list[events.Event] = [events.SpeechStarted("a", 0.0), delta("a", word("one", 0.0, 0.3))]
    steps.append(events.SpeechStopped("a", 0.5))
    messages = told(turns(), *steps, events.TranscriptDone("a", DONE, 0.5))
    assert story(messages) == [("StartOfTurn", "one"), ("EndOfTurn", "one")]
    assert messages[-1]["trigger"] == "timeout"


def test_late_words_end_a_turn_where_the_silence_after_them_is_known() -> None:
    first, second = said("a", 0.0, "one"), said("b", 3.0, "two")
    late = [first[0], *first[2:-1], *advanced(0.8, 3.1), *second, first[1], first[-1]]
    messages = told(turns(EAGER), *late, *advanced(3.8, 5.0))
    assert story(messages)[:3] == [("StartOfTurn", "one"), ("EndOfTurn", "one"), ("StartOfTurn", "two")]
    ends = [each for each in messages if each["event"] == "EndOfTurn"]
    assert [(each["transcript"], each["trigger"]) for each in ends] == [("one", "model"), ("two", "model")]
    assert ends[0]["audio_window_end"] == 3.0


def test_updates_come_every_quarter_of_a_second() -> None:
    messages = told(turns(), *advanced(0.1, 2.0))
    assert [each["event"] for each in messages] == ["Update"] * 6
    assert [each["audio_window_end"] for each in messages] == [0.3, 0.6, 0.9, 1.2, 1.5, 1.8]


def test_noise_without_words_does_not_keep_a_turn_open() -> None:
    steps = [*said("a", 0.0, "one"), events.SpeechStarted("b", 0.7), *advanced(0.8, 2.0)]
    assert story(told(turns(), *steps)) == [("StartOfTurn", "one"), ("EndOfTurn", "one")]


def test_a_speech_without_end_is_cut_without_losing_a_word() -> None:
    on = turns()
    messages = told(on, events.SpeechStarted("a", 0.0))
    for number in range(400):
        messages += told(on, delta("a", word(f"w{number}", number, number + 0.9), tail=(word("x", number + 1, 500),)))
    messages += told(on, delta("a")) + on.end("manual")
    ends = [each["transcript"].split() for each in messages if each["event"] == "EndOfTurn"]
    assert len(ends) == 2
    assert [each for end in ends for each in end] == [f"w{number}" for number in range(400)]


def test_the_language_is_told_where_it_is_detected() -> None:
    on = turns(detects_language=True)
    on.hints = ("en", "fr")
    (started,) = told(on, events.SpeechStarted("a", 0.0), delta("a", word("one", 0.0, 0.3)))
    assert (started["languages"], started["languages_hinted"]) == (["en"], ["en", "fr"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[events.Event], list[str]]:
    """Turns of a session with pauses between them, and their words."""
    happened: list[events.Event] = []
    words: list[str] = []
    at = 0.0
    for number in range(draw(st.integers(0, 6))):
        texts = [f"w{len(words) + n}" for n in range(draw(st.integers(0, 4)))]
        ends_sentence: bool = draw(st.booleans())
        if texts and ends_sentence:
            texts[-1] += "."
        words += texts
        own = said(f"t{number}", at, *texts)
        flush = draw(st.none() | st.integers(0, len(own)))
        if flush is not None:
            own.insert(flush, events.Flushed())
        happened += own
        over = at + len(texts) * 0.3 + 0.4
        at = over + draw(st.sampled_from((0.0, 0.1, 0.3, 0.8, 6.0)))
        happened += advanced(over, at)
    return happened, words


THRESHOLDS = st.builds(
    FluxThresholds,
    eot_threshold=st.sampled_from((0.5, 0.7, 1.0)),
    eager_eot_threshold=st.sampled_from((None, 0.3, 0.5)),
    eot_timeout_ms=st.sampled_from((500, 5000)),
)


@given(streams(), THRESHOLDS)
def test_the_rules_of_flux_hold(stream: tuple[list[events.Event], list[str]], thresholds: FluxThresholds) -> None:
    happened, words = stream
    on = turns(thresholds)
    messages = told(on, *happened) + on.end("manual")
    ended = [each for message in messages if message["event"] == "EndOfTurn" for each in message["transcript"].split()]
    assert ended == words
    state, index, eager = "initial", 0, None
    allowed = {
        "initial": {"StartOfTurn": "ongoing", "Update": "initial"},
        "ongoing": {"Update": "ongoing", "EagerEndOfTurn": "awaiting", "EndOfTurn": "initial"},
        "awaiting": {"Update": "awaiting", "TurnResumed": "ongoing", "EndOfTurn": "initial"},
    }
    for message in messages:
        event = message["event"]
        assert event in allowed[state], (state, message)
        assert message["turn_index"] == index
        assert ("trigger" in message) == (event == "EndOfTurn")
        if state == "awaiting" and event in ("Update", "EndOfTurn"):
            assert message["transcript"] == eager
        if event in ("EagerEndOfTurn", "StartOfTurn"):
            assert message["transcript"]
        if event == "Update":
            assert message["end_of_turn_confidence"] < thresholds.eot_threshold
        eager = message["transcript"] if event == "EagerEndOfTurn" else eager
        state, index = allowed[state][event], index + (event == "EndOfTurn")
    assert state == "initial"
