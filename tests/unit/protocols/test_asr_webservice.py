"""whisper-asr-webservice's outputs and its form, by tables."""

from __future__ import annotations

from speechmlx.protocols.asr_webservice import TEXTS, as_json, read_form
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment, Word

WORDS = (Word(" One", 0.0, 0.5, 0.9),)
RESULT = RecognitionResult(
    3.0,
    "translate",
    LanguageDetected("fr", 0.9),
    [Segment(" One\n1.", 0.0, 1.0, 0.9, WORDS), Segment(" Two.", 1.0, 2.0, 0.9)],
)


def test_lines_and_tab_separated_values() -> None:
    assert TEXTS["txt"](RESULT) == "One\n1.\nTwo.\n"
    assert TEXTS["tsv"](RESULT) == "start\tend\ttext\n0\t1000\tOne 1.\n1000\t2000\tTwo.\n"


def test_json_has_the_spoken_language_and_words_on_request() -> None:
    with_words, without = as_json(RESULT, True), as_json(RESULT, False)
    assert (without["text"], without["language"]) == (" One\n1. Two.", "fr")
    assert with_words["segments"][0]["words"] == [{"word": " One", "start": 0.0, "end": 0.5, "probability": 0.9}]
    assert all("words" not in segment for segment in without["segments"])
    assert as_json(RecognitionResult(1.0), False) == {"text": "", "segments": [], "language": None}


def test_a_form() -> None:
    assert read_form({}, "fr", False) == TranscriptionForm(language="fr")
    fields = {"language": "en", "task": "translate", "initial_prompt": "p", "vad_filter": "false"}
    expected = TranscriptionForm(language="en", task="translate", prompt="p", words=True, vad=False)
    assert read_form(fields, "fr", True) == expected
