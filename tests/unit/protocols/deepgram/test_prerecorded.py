"""The answer to a recording, by tables; and what a body is."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from starlette.datastructures import QueryParams
from support.fake_engines import FakeEngines, row

from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.listen_options import listen_options
from speechmlx.protocols.deepgram.prerecorded import DecodedRecording, answer, check, digest, read_url, transcribe
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.recognition import RecognitionResult
from speechmlx.types import Audio, Diarize, Kind, LanguageDetected, Segment, SpeakerTurn, Transcribe, Word

MODEL = row(Kind.ASR)
REQUEST = ListenRequest(id="req_1", model=MODEL)


def audio(seconds: float) -> Audio:
    return Audio(np.zeros(round(seconds * 16000), np.float32), 16000)


def heard(text: str, start: float = 0.0, language: str = "en") -> RecognitionResult:
    words = tuple(Word(f" {word}", start + n, start + n + 1.0, 0.5) for n, word in enumerate(text.split()))
    segment = Segment(f" {text}", start, start + len(words), 0.5, words)
    return RecognitionResult(10.0, language=LanguageDetected(language, 0.75), segments=[segment] if words else [])


def told(query: str, *found: RecognitionResult) -> dict[str, Any]:
    recording = DecodedRecording("5e", tuple(audio(10.0 + n) for n in range(len(found))))
    return answer(found, REQUEST, recording, listen_options(QueryParams(query)))


def test_an_answer() -> None:
    whole = told("", heard("Hello, World!"))
    meta = whole["metadata"]
    assert (meta["request_id"], meta["sha256"], meta["duration"], meta["channels"]) == ("req_1", "5e", 10.0, 1)
    assert meta["models"] == list(meta["model_info"]) and meta["created"].endswith("Z")
    (channel,) = whole["results"]["channels"]
    assert channel == {
        "alternatives": [
            {
                "transcript": "hello world",
                "confidence": 0.5,
                "words": [
                    {"word": "hello", "start": 0.0, "end": 1.0, "confidence": 0.5, "punctuated_word": "Hello,"},
                    {"word": "world", "start": 1.0, "end": 2.0, "confidence": 0.5, "punctuated_word": "World!"},
                ],
            }
        ]
    }
    assert whole["results"].keys() == {"channels"}


def test_silence() -> None:
    whole = told("utterances=true&paragraphs=true", heard(""))
    (only,) = whole["results"]["channels"][0]["alternatives"]
    assert only == {
        "transcript": "",
        "confidence": 0.0,
        "words": [],
        "paragraphs": {"transcript": "", "paragraphs": []},
    }
    assert whole["results"]["utterances"] == []


def test_what_was_asked_for_is_there() -> None:
    query = "smart_format=true&paragraphs=true&utterances=true&replace=there:here&profanity_filter=true&extra=k:v&tag=t"
    whole = told(query, heard("Hello there. Shit happens."))
    only = whole["results"]["channels"][0]["alternatives"][0]
    assert only["transcript"] == "Hello here. happens."
    assert only["paragraphs"]["transcript"] == "\nHello here. happens."
    assert [one["transcript"] for one in whole["results"]["utterances"]] == ["Hello here.", "happens."]


@pytest.mark.parametrize(
    ("query", "language", "confidence", "languages"),
    [
        ("", None, None, None),
        ("language=fr", None, None, None),
        ("detect_language=true", "fr", 0.75, None),
        ("language=multi", None, None, ["fr"]),
    ],
)
def test_languages(query: str, language: str | None, confidence: float | None, languages: list[str] | None) -> None:
    channel = told(query, heard("Bonjour", language="fr"))["results"]["channels"][0]
    assert (channel.get("detected_language"), channel.get("language_confidence")) == (language, confidence)
    assert channel["alternatives"][0].get("languages") == languages
    assert channel["alternatives"][0]["words"][0].get("language") == (languages[0] if languages else None)


def test_channels_are_told_apart_and_their_utterances_are_in_order() -> None:
    whole = told("multichannel=true&utterances=true&punctuate=true", heard("Right.", 3.0), heard("Left."))
    assert [one["alternatives"][0]["transcript"] for one in whole["results"]["channels"]] == ["Right.", "Left."]
    assert [(one["channel"], one["transcript"]) for one in whole["results"]["utterances"]] == [
        (1, "Left."),
        (0, "Right."),
    ]
    assert (whole["metadata"]["channels"], whole["metadata"]["duration"]) == (2, 11.0)


async def test_every_channel_is_recognised_with_words_and_the_clients_settings() -> None:
    segment = heard("Hello there").segments[0]
    engines = FakeEngines(
        lambda request: [SpeakerTurn(0, 1, "0"), SpeakerTurn(1, 9, "1")] if isinstance(request, Diarize) else [segment],
        [MODEL, row(Kind.DIARIZE, rate=16000)],
    )
    options = listen_options(QueryParams("keyterm=Kenobi&keyterm=Leia&diarize=true&language=de&utterances=true"))
    recording = DecodedRecording("5e", (audio(2.0), audio(2.0)))
    whole = await transcribe(engines, REQUEST, recording, options)
    assert len(whole["results"]["channels"]) == 2
    assert [word["speaker"] for word in whole["results"]["channels"][0]["alternatives"][0]["words"]] == [0, 1]
    assert [(one["channel"], one["speaker"]) for one in whole["results"]["utterances"]] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (1, 1),
    ]
    for request in engines.requests(Transcribe):
        assert (request.model, request.language, request.words) == ("fake-asr", "de", True)
        assert request.hotwords == ("Kenobi", "Leia")


@pytest.mark.parametrize(
    ("body", "kind", "url"),
    [
        (b'{"url": " https://example.org/a.wav "}', "application/json", "https://example.org/a.wav"),
        (b' {"url": "http://a.b/c"}', "", "http://a.b/c"),
        (b"RIFF....WAVE", "", None),
        (b"RIFF....WAVE", "audio/wav", None),
        (b"{\x00\x01 not json", "application/octet-stream", None),
        (b"", "", None),
        (b"{" * 100_000, "", None),
    ],
)
def test_an_address_or_a_recording(body: bytes, kind: str, url: str | None) -> None:
    file = io.BytesIO(body)
    assert read_url(file, kind) == url
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"{", "application/json; charset=utf-8", "not valid JSON"),
        (b'{"text": "a"}', "application/json", "the JSON has no 'url'"),
        (b'{"url": 5}', "", "the JSON has no 'url'"),
        (b"[]", "application/json", "the JSON has no 'url'"),
    ],
)
def test_other_json_is_refused(body: bytes, kind: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        read_url(io.BytesIO(body), kind)


@pytest.mark.parametrize(
    ("query", "fetches", "says"),
    [
        ("diarize=true", True, "'diarize' needs a diarization model, and none is configured"),
        ("callback=http://example.org", False, "'callback': asking other addresses is off.*--allow-url-fetch"),
        (
            "callback=http://example.org&callback_method=get",
            True,
            "'callback_method' must be one of POST, PUT, not 'GET'",
        ),
        ("callback=file:///etc/passwd", True, "'callback' must be an http or https address"),
    ],
)
def test_what_this_server_does_not_do_is_refused_at_once(query: str, fetches: bool, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        check(listen_options(QueryParams(query)), FakeEngines(rows=[MODEL]), fetches)


def test_the_rest_is_done() -> None:
    options = listen_options(QueryParams("diarize=true&callback=https://example.org&callback_method=put"))
    check(options, FakeEngines(rows=[MODEL, row(Kind.DIARIZE)]), True)


def test_a_digest() -> None:
    data = bytes(range(256)) * 10_000
    file = io.BytesIO(data)
    file.read(5)
    assert digest(file) == hashlib.sha256(data).hexdigest()
