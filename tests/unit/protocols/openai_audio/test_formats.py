"""Formats of a transcript."""

from __future__ import annotations

from speechmlx.languages import NAMES, TAGS, name
from speechmlx.recognition import RecognitionResult
from speechmlx.transcript_formats import as_verbose
from speechmlx.types import LanguageDetected, Segment


def test_verbose_names_the_language_as_openai_does() -> None:
    result = RecognitionResult(10.0, "transcribe", LanguageDetected("fr", 0.8), [Segment(" Oui.", 0.0, 1.5, 0.9)])
    answer = as_verbose(result, ())
    assert (answer["language"], answer["text"], answer["task"]) == ("french", "Oui.", "transcribe")
    assert "words" not in answer and answer["segments"][0]["id"] == 0
    assert name("xx") == "xx" and name(None) == "unknown" and TAGS["cantonese"] == "yue" and len(NAMES) == 100
