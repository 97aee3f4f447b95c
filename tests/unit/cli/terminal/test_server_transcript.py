"""A server's answer becomes the result that it was made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speechmlx.cli.terminal.server_transcript import read_transcript, read_turns, speaker_number
from speechmlx.recognition import RecognitionResult
from speechmlx.speakers import SpeakerNames
from speechmlx.transcript_formats import FORMATS, as_rttm, as_verbose, formatted
from speechmlx.types import LanguageDetected, Segment, SpeakerTurn, Word


def result() -> RecognitionResult:
    hello = (Word(" Guten", 0.0, 0.4, 0.0, "0"), Word(" Tag.", 0.4, 1.0, 0.0, "0"))
    answer = (Word(" Ja.", 1.0, 1.25, 0.0, "1"),)
    segments = [
        Segment(" Guten Tag.", 0.0, 1.0, 0.0, hello, (1, 2), avg_logprob=-0.25, speaker="0"),
        Segment(" Ja.", 1.0, 1.2, 0.0, answer, (3,), compression_ratio=1.5, speaker="1"),
    ]
    turns = [SpeakerTurn(0.0, 1.0, "0"), SpeakerTurn(1.0, 1.25, "1")]
    return RecognitionResult(1.5, "transcribe", LanguageDetected("de", 1.0), segments, turns)


def over_the_wire(given: RecognitionResult) -> RecognitionResult:
    names, numbers = SpeakerNames(), SpeakerNames(numbered=True)
    named = [event for segment in given.segments if isinstance(event := names.apply(segment), Segment)]
    read = read_transcript(as_verbose(replace(given, segments=named), ("segment", "word")))
    turns = [replace(turn, speaker=numbers.name(turn.speaker)) for turn in given.turns]
    read.turns = read_turns(as_rttm(turns, "my talk"))
    return read


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_the_same(format: str) -> None:
    assert formatted(over_the_wire(result()), format, "talk") == formatted(result(), format, "talk")


def test_nothing_is_lost() -> None:
    assert over_the_wire(result()) == result()


def test_silence_has_no_language() -> None:
    silence = RecognitionResult(2.0, "translate")
    assert over_the_wire(silence) == silence


@pytest.mark.parametrize(
    ("name", "number"), [("A", "0"), ("Z", "25"), ("AA", "26"), ("Anna", "Anna"), ("", ""), (None, None)]
)
def test_speakers(name: str | None, number: str | None) -> None:
    assert speaker_number(name) == number
