"""The hybrid's answer and its form, by tables."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.errors import BadRequest
from speechmlx.protocols.hybrid import as_json, read_form
from speechmlx.recognition import RecognitionResult
from speechmlx.types import Audio, LanguageDetected, Segment, Transcribe

REQUEST = Transcribe(model="m", audio=Audio(np.zeros(40000, np.float32), 16000), language="de")
SEGMENTS = [Segment(" One.", 0.0, 1.0, 0.9, no_speech_prob=0.123456), Segment(" Two.", 1.5, 2.004, 0.9)]


def test_an_answer_has_the_hybrids_keys_and_soniqos() -> None:
    answer = as_json(
        RecognitionResult(2.5, language=LanguageDetected("fr", 0.87654), segments=SEGMENTS), REQUEST, "a.wav"
    )
    assert answer["segments"] == [
        {"start": 0.0, "end": 1.0, "text": "One.", "no_speech_prob": 0.1235},
        {"start": 1.5, "end": 2.0, "text": "Two.", "no_speech_prob": 0.0},
    ]
    assert answer["info"] == {
        "language": "fr",
        "language_probability": 0.8765,
        "duration": 2.5,
        "duration_after_vad": 1.5,
        "transcription_options": {"task": "transcribe", "beam_size": 1},
    }
    rest = {name: answer[name] for name in answer if name not in ("segments", "info")}
    assert rest == {
        "success": True,
        "filename": "a.wav",
        "text": "One. Two.",
        "language": "fr",
        "confidence": 0.9,
        "model": "m",
        "duration": 2.5,
    }


def test_without_speech_the_language_is_the_clients() -> None:
    info = as_json(RecognitionResult(2.5), REQUEST, "")["info"]
    assert (info["language"], info["language_probability"], info["duration_after_vad"]) == ("de", 0.0, 0)


def test_a_form() -> None:
    form = read_form({"task": "Translate", "language": " "}, "fr")
    assert (form.task, form.language) == ("translate", "fr")
    assert read_form({"language": "German"}, "fr").language == "de"
    with pytest.raises(BadRequest, match="'task' must be one of transcribe, translate"):
        read_form({"task": "sing"}, None)
