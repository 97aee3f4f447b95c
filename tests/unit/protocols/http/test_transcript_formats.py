"""Subtitles: times, cues and characters that formats escape."""

from __future__ import annotations

import pytest

from speechmlx.protocols.http.transcript_formats import as_srt, as_vtt, clock
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment


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
