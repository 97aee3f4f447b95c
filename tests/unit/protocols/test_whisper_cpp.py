"""whisper.cpp's forms, clips and answers, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.whisper_cpp import OutputOptions, as_text, as_verbose, read_clip, read_form, read_output
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment

RESULT = RecognitionResult(3.0, "transcribe", LanguageDetected("fr", 0.87654), [Segment(" One.", 0.0, 1.0, 0.9)])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, OutputOptions()),
        ({"response_format": "verbose_json"}, OutputOptions("verbose_json", words=True, lenient=True)),
        ({"response_format": "verbose_json", "token_timestamps": "1"}, OutputOptions("verbose_json", words=True)),
        ({"response_format": "verbose_json", "no_timestamps": "1"}, OutputOptions("verbose_json", timed=False)),
        ({"response_format": "verbose_json", "token_timestamps": "0"}, OutputOptions("verbose_json")),
        ({"max_len": "7"}, OutputOptions(words=True, max_letters=7)),
        ({"offset_n": 2, "no_language_probabilities": True}, OutputOptions(probabilities=False, first=3)),
    ],
)
def test_output_options(fields: dict[str, Any], expected: OutputOptions) -> None:
    assert read_output(fields) == expected


def test_a_form() -> None:
    form = read_form(
        {"language": "de", "translate": "true", "prompt": "p", "beam_size": -1, "vad": "0", "temperature": 1}
    )
    assert form == TranscriptionForm(language="de", task="translate", prompt="p", temperatures=(1.0,), vad=False)
    with pytest.raises(Unsupported, match="tinydiarize needs a Whisper model that marks speaker turns"):
        read_form({"tinydiarize": "true"})


@pytest.mark.parametrize(
    ("fields", "clip"),
    [
        ({}, None),
        ({"offset_t": 500}, (0.5, 3.0)),
        ({"duration": 1000}, (0.0, 1.0)),
        ({"offset_t": "2500", "duration": "1000"}, (2.5, 3.0)),
    ],
)
def test_clips(fields: dict[str, Any], clip: tuple[float, float] | None) -> None:
    assert read_clip(fields, 3.0) == clip


def test_a_clip_past_the_end_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"'offset_t' is 3 s, and the recording has 3\.00 s"):
        read_clip({"offset_t": 3000}, 3.0)


def test_answers() -> None:
    assert as_text(RESULT) == " One.\n"
    answer = as_verbose(RESULT, OutputOptions("verbose_json"))
    assert (answer["language"], answer["detected_language_probability"]) == ("french", 0.8765)
    assert answer["language_probabilities"] == {"fr": 0.8765} and answer["segments"][0]["start"] == 0.0
    untimed = as_verbose(RESULT, OutputOptions("verbose_json", timed=False, probabilities=False))
    assert "detected_language" not in untimed and "start" not in untimed["segments"][0]
    assert as_verbose(RecognitionResult(1.0), OutputOptions())["language_probabilities"] == {}
