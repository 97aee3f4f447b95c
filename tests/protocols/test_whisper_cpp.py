"""whisper.cpp's server, asked with the forms of its README and of programs that were written for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from support.clips import CLIPS
from support.word_errors import word_error_rate

from speechmlx.audio.encode import wav_header
from speechmlx.protocols.whisper_cpp import read_temperatures, split_segment
from speechmlx.types import Segment, Word

Folder = Callable[[str], Path]

WAV = wav_header(16000, 48000) + bytes(96000)
SCRIPTED = {"model": "scripted-asr", "prompt": "steps=2"}


def ask(server: Any, file: bytes | None, **fields: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        files = {"file": ("audio.wav", file, "audio/wav")} if file is not None else {"x": (None, "y")}
        return session.post(f"{server.url}/inference", files=files, data=fields, timeout=120)


# --- Real words --------------------------------------------------------------------------------------------------


def test_the_readmes_request(starter: Any, clip: Folder) -> None:
    """As its curl sends it; the text is lines with a blank before each, which clients join."""
    answer = ask(starter, clip("jfk").read_bytes(), temperature="0.0", temperature_inc="0.2", response_format="json")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"text"}
    text = answer.json()["text"]
    assert text.startswith(" ") and text.endswith(".\n")
    assert word_error_rate(CLIPS["jfk"].words, text.replace("\n", "")) == 0


def test_verbose_json(starter: Any, clip: Folder) -> None:
    heard = ask(starter, clip("jfk").read_bytes(), response_format="verbose_json", language="auto").json()
    assert (heard["task"], heard["language"], heard["duration"]) == ("transcribe", "english", 11.0)
    assert (heard["detected_language"], heard["language_probabilities"]) == ("english", {"en": 1.0})
    first, *_, last = heard["segments"]
    assert first.keys() == {
        *("id", "text", "start", "end", "tokens", "words", "temperature", "avg_logprob", "no_speech_prob"),
    }
    assert first["id"] == 0 and 0 <= first["start"] < first["end"] <= last["end"] <= 11
    words = [word for segment in heard["segments"] for word in segment["words"]]
    assert word_error_rate(CLIPS["jfk"].words, "".join(word["word"] for word in words)) == 0
    assert "".join(word["word"] for word in words) == heard["text"].replace("\n", "")


def test_the_language_alone(starter: Any, clip: Folder) -> None:
    fields = {"response_format": "verbose_json", "detect_language": "true", "language": "auto", "model": "whisper-base"}
    told = ask(starter, clip("jfk").read_bytes(), **fields).json()
    assert (told["detected_language"], told["text"], told["segments"]) == ("english", "", [])
    assert told["detected_language_probability"] == told["language_probabilities"]["en"] > 0.9
    refused = ask(starter, WAV, offset_t=2999, **fields)
    assert refused.status_code == 400 and "too short for its language" in refused.json()["error"]


def test_a_part_of_the_recording(starter: Any, clip: Folder) -> None:
    srt = ask(starter, clip("jfk").read_bytes(), offset_t=3000, duration=5000, response_format="srt").text
    assert srt.startswith("1\n00:00:03,") and srt.split("\n")[1].split(" --> ")[1][:8] <= "00:00:08"
    assert word_error_rate("ask not what your country can do for you", srt.split("\n", 2)[2]) == 0


# --- On scripted engines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "type", "body"),
    [
        ("json", "application/json", '{"text":" part 0.\\n part 1.\\n"}'),
        ("text", "text/plain; charset=utf-8", " part 0.\n part 1.\n"),
        (
            "srt",
            "application/x-subrip",
            "5\n00:00:00,000 --> 00:00:01,000\npart 0.\n\n6\n00:00:01,000 --> 00:00:02,000\npart 1.\n",
        ),
        (
            "vtt",
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\npart 0.\n\n00:00:01.000 --> 00:00:02.000\npart 1.\n",
        ),
    ],
)
def test_formats(server: Any, format: str, type: str, body: str) -> None:
    answer = ask(server, WAV, response_format=format, offset_n=4, **SCRIPTED)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, type, body)


def test_what_verbose_json_leaves_out(server: Any) -> None:
    def verbose(**fields: str) -> Any:
        return ask(server, WAV, response_format="verbose_json", **SCRIPTED, **fields).json()

    whole = verbose(language="fr")
    assert (whole["language"], whole["detected_language"], whole["duration"]) == ("french", "french", 3.0)
    assert whole["segments"][1]["words"] == [{"word": " part 1.", "start": 1.0, "end": 2.0, "probability": 0.5}]
    assert "words" not in verbose(token_timestamps="false")["segments"][0]
    assert {"words", "start", "end"}.isdisjoint(verbose(no_timestamps="true")["segments"][0])
    probabilities = {"detected_language", "detected_language_probability", "language_probabilities"}
    assert probabilities <= whole.keys() and probabilities.isdisjoint(verbose(no_language_probabilities="true"))


def test_fields_that_change_nothing_are_taken(server: Any) -> None:
    fields = {"best_of": "2", "word_thold": "0.01", "entropy_thold": "2.4", "audio_ctx": "0", "vad_threshold": "0.5"}
    answer = ask(server, WAV, **fields, beam_size="-1", duration="0", max_len="0", translate="false", **SCRIPTED)
    assert answer.json() == {"text": " part 0.\n part 1.\n"}


def test_speakers_are_told_apart(server: Any) -> None:
    answer = ask(server, WAV, diarize="true", **SCRIPTED)
    assert answer.json() == {"text": "(speaker 0) part 0.\n(speaker 1) part 1.\n"}
    verbose = ask(server, WAV, diarize="true", response_format="verbose_json", **SCRIPTED).json()
    assert [segment["speaker"] for segment in verbose["segments"]] == ["0", "1"]
    assert "speaker" not in ask(server, WAV, response_format="verbose_json", **SCRIPTED).json()["segments"][0]


@pytest.mark.parametrize(
    ("file", "fields", "status", "says"),
    [
        (None, {}, 400, "no 'file' field in the request"),
        (b"only words in here", {}, 400, "plain text"),
        (WAV, {"response_format": "tsv"}, 400, "json, text, srt, verbose_json, vtt"),
        (WAV, {"temperature": "hot"}, 400, "'temperature' must be a number from 0 to 1"),
        (WAV, {"offset_t": "9000"}, 400, "'offset_t' is 9 s, and the recording has 3.00 s"),
        (WAV, {"tinydiarize": "true"}, 400, "use diarize"),
        (WAV, {"model": "gigantic"}, 404, "no model 'gigantic'"),
        (WAV, {"prompt": "fail=1"}, 500, "scripted to fail"),
    ],
    ids=str,
)
def test_errors(server: Any, file: bytes | None, fields: dict[str, str], status: int, says: str) -> None:
    answer = ask(server, file, **{**SCRIPTED, **fields})
    assert answer.status_code == status
    assert answer.json().keys() == {"error"} and says in answer.json()["error"]


def test_load_says_how_a_model_is_chosen(server: Any) -> None:
    with server.client() as client:
        answer = client.post("/load", files={"model": (None, "models/ggml-base.en.bin")})
        assert answer.status_code == 501 and "'model' of /inference" in answer.json()["error"]
        assert client.get("/health").json()["status"] == "ok"


# --- By tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ({"temperature": "0.0", "temperature_inc": "0"}, (0.0,)),
        ({"temperature": "0.5", "temperature_inc": "0.25"}, (0.5, 0.75, 1.0)),
        ({"temperature": "1"}, (1.0,)),
        ({"temperature_inc": "0.7"}, (0.0, 0.7)),
    ],
)
def test_temperatures(given: dict[str, str], found: tuple[float, ...]) -> None:
    assert read_temperatures(given) == found


def test_segments_are_cut_between_words() -> None:
    words = tuple(Word(f" {word}", number, number + 0.5, 0.9) for number, word in enumerate("one two three".split()))
    segment = Segment(" one two three", 0.0, 3.0, 0.9, words, (1, 2, 3))
    assert list(split_segment(segment, 0)) == [segment]
    cut = [(piece.text, piece.start, piece.end, len(piece.words)) for piece in split_segment(segment, 8)]
    assert cut == [(" one two", 0, 1.5, 2), (" three", 2, 2.5, 1)]
    assert [piece.text for piece in split_segment(segment, 1)] == [" one", " two", " three"]
