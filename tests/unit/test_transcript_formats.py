"""Subtitles: times, cues and characters that formats escape."""

from __future__ import annotations

import json

import pytest

from speechmlx.errors import BadRequest
from speechmlx.recognition import RecognitionResult
from speechmlx.transcript_formats import FORMATS, as_srt, as_vtt, clock, formatted, heard_besides
from speechmlx.types import LanguageDetected, Segment, SpeakerTurn, Word


def recognised(*texts: str) -> RecognitionResult:
    segments = [Segment(text, float(number), number + 1.5, 0.9) for number, text in enumerate(texts)]
    return RecognitionResult(10.0, "transcribe", LanguageDetected("fr", 0.8), segments)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "00:00:00,000"),
        (0.0004, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3661.5, "01:01:01,500"),
        (360000, "100:00:00,000"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds, ",") == text


def test_srt_and_vtt() -> None:
    both = recognised(" One & two.", " a\nb --> c")
    assert as_srt(both) == (
        "1\n00:00:00,000 --> 00:00:01,500\nOne & two.\n\n2\n00:00:01,000 --> 00:00:02,500\na b -> c\n"
    )
    assert as_vtt(both) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &amp; two.\n\n00:00:01.000 --> 00:00:02.500\na b -> c\n"
    )
    assert as_srt(recognised()) == "" and as_vtt(recognised()) == "WEBVTT\n"


def two_speakers() -> RecognitionResult:
    words = (Word(" One.", 0.0, 1.0, 0.9, "0"),)
    segments = [Segment(" One.", 0.0, 1.0, 0.9, words, speaker="0"), Segment(" Two.", 1.0, 2.0, 0.9, speaker="Ann")]
    turns = [SpeakerTurn(0.0, 1.0, "0"), SpeakerTurn(1.0, 2.0, "Ann")]
    return RecognitionResult(2.0, "transcribe", LanguageDetected("en", 1.0), segments, turns)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("text", "[SPEAKER_00]: One.\n[Ann]: Two.\n"),
        ("tsv", "start\tend\ttext\n0\t1000\t[SPEAKER_00]: One.\n1000\t2000\t[Ann]: Two.\n"),
        (
            "rttm",
            "SPEAKER a_talk 1 0.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
            "SPEAKER a_talk 1 1.000 1.000 <NA> <NA> Ann <NA> <NA>\n",
        ),
    ],
)
def test_texts_name_the_speakers(format: str, text: str) -> None:
    assert formatted(two_speakers(), format, "a talk") == text


def test_json_has_the_text_and_verbose_json_its_parts() -> None:
    answer = json.loads(formatted(two_speakers(), "json"))
    assert (answer["text"], answer["languages"]) == ("One. Two.", [{"code": "en"}])
    answer = json.loads(formatted(two_speakers(), "verbose_json"))
    assert [segment["speaker"] for segment in answer["segments"]] == ["SPEAKER_00", "Ann"]
    assert answer["words"] == [{"word": "One.", "start": 0.0, "end": 1.0, "speaker": "SPEAKER_00"}]
    assert "words" not in json.loads(formatted(recognised(" One."), "verbose_json"))


def test_what_else_a_model_hears_stands_beside_the_text() -> None:
    result = RecognitionResult(9.0)
    result.segments = [
        Segment("One.", 0.0, 1.0, 0.9, emotion="happy", sound="speech"),
        Segment("Two.", 1.0, 3.0, 0.9, emotion="sad"),
        Segment("Three.", 3.0, 9.0, 0.9),
    ]
    segments = json.loads(formatted(result, "verbose_json"))["segments"]
    told = [{name: value for name, value in one.items() if name in ("emotion", "sound")} for one in segments]
    assert told == [{"emotion": "happy", "sound": "speech"}, {"emotion": "sad"}, {}]
    assert heard_besides(result) == {"emotion": "sad", "sound": "speech"}, "what lasts longest"
    assert heard_besides(recognised(" One.")) == {}


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(BadRequest, match=r"there is no format 'docx'.*text, json, verbose_json, srt, vtt, tsv, rttm"):
        formatted(recognised(" One."), "docx")
    with pytest.raises(BadRequest, match="not told apart"):
        formatted(recognised(" One."), "rttm")
    assert formatted(recognised(), "rttm") == "" and set(FORMATS) >= {"srt", "vtt"}
