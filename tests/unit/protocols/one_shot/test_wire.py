"""The messages of /ws/transcribe, as tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.protocols.one_shot.wire import (
    NO_METADATA,
    Metadata,
    OneShotWire,
    Pong,
    RecordingRequest,
    Refusal,
    answer,
    resumed,
)
from speechmlx.protocols.ws import ResumePoint
from speechmlx.recognition import RecognitionResult
from speechmlx.types import LanguageDetected, Segment

ASKED = {"type": "transcribe", "language": "bg", "api_key": "secret"}


def wire(key: str | None = None, max_bytes: int = 100) -> OneShotWire:
    return OneShotWire(lambda offered: key in (None, offered), max_bytes)


def sent(one: OneShotWire, *messages: Any) -> list[Any]:
    """What comes of each message; objects are sent as JSON."""
    return [one.receive(message if isinstance(message, str | bytes) else json.dumps(message)) for message in messages]


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ({"type": "transcribe"}, Metadata(TranscriptionForm())),
        ({"language": None, "type": "transcribe", "machine_id": None}, Metadata(TranscriptionForm())),
        (
            {"machine_id": " a1 ", "task": "translate", "language": "German", "type": "transcribe"},
            Metadata(TranscriptionForm(task="translate", language="de"), "a1"),
        ),
        ({"type": "transcribe", "postprocess": True}, Metadata(TranscriptionForm(), postprocess=True)),
        ({"type": "transcribe", "postprocess": False}, Metadata(TranscriptionForm(), postprocess=False)),
        ({"type": "transcribe", "postprocess": None, "more": [1]}, Metadata(TranscriptionForm())),
    ],
)
def test_metadata_then_a_recording_is_a_request(fields: dict[str, Any], metadata: Metadata) -> None:
    assert sent(wire(), fields, b"RIFF") == [None, RecordingRequest(metadata, b"RIFF")]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("nothing", "the message is not JSON"),
        ("[" * 100_000, "more than 100 lists and objects inside each other"),
        ([1], "not a JSON object"),
        ({}, "missing 'type': transcribe or ping"),
        ({"type": "sing"}, "'type' must be one of transcribe, ping, not 'sing'"),
        ({"type": "transcribe", "task": "sing"}, "'task' must be one of transcribe, translate"),
        ({"type": "transcribe", "language": 7}, "'language' must be a string, not 7"),
        ({"type": "transcribe", "machine_id": {}}, "'machine_id' must be a string"),
        ({"type": "transcribe", "postprocess": "maybe"}, "'postprocess' must be true or false"),
        ('{"type": "transcribe", "machine_id": "\\ud800"}', "half of a character"),
    ],
)
def test_bad_metadata_has_one_answer_and_the_socket_stays_usable(message: Any, words: str) -> None:
    one = wire()
    refused, dropped, then = sent(one, message, b"RIFF", b"RIFF")
    assert isinstance(refused, Refusal) and words in refused.text and refused.message == {"error": refused.text}
    assert dropped is None and then == Refusal(NO_METADATA, "bad_request")
    assert isinstance(sent(one, ASKED, b"RIFF")[1], RecordingRequest)


def test_a_wrong_key_is_unauthorized() -> None:
    one = wire("secret")
    for key in ("wrong", None):
        assert sent(one, {**ASKED, "api_key": key}, b"RIFF") == [Refusal("unauthorized", "unauthorized"), None]
    assert isinstance(sent(one, ASKED, b"RIFF")[1], RecordingRequest)


def test_a_ping_at_any_time() -> None:
    ping = {"type": "ping"}
    pinged, asked, again, request = sent(wire("secret"), ping, ASKED, ping, b"RIFF")
    assert pinged == again == Pong() and pinged.message == {"type": "pong", "status": "ok"}
    assert asked is None and isinstance(request, RecordingRequest)


def test_each_recording_needs_its_own_metadata_and_the_last_counts() -> None:
    *_, request, missing = sent(wire(), {"type": "transcribe", "language": "de"}, ASKED, b"1", b"2")
    assert request.metadata.form.language == "bg" and missing == Refusal(NO_METADATA, "bad_request")


def test_a_recording_has_a_limit() -> None:
    refused = sent(wire(max_bytes=3), ASKED, b"RIFF")[1]
    assert (refused.code, refused.text) == (
        "too_large",
        "the recording has 4 bytes, over the limit of 3 (max_audio_bytes)",
    )


def test_the_answer_has_every_field() -> None:
    segments = [Segment(" Здравейте,", 0.0, 1.204, 0.9), Segment(" как сте?", 1.204, 2.5, 0.9)]
    result = RecognitionResult(2.5, language=LanguageDetected("bg", 0.9), segments=segments)
    assert answer(result, "Здравейте, как сте?", 150, None) == {
        "text": "Здравейте, как сте?",
        "segments": [
            {"text": "Здравейте,", "start": 0.0, "end": 1.2},
            {"text": "как сте?", "start": 1.2, "end": 2.5},
        ],
        "language": "bg",
        "postprocessed_text": "Здравейте, как сте?",
        "postprocess_ms": 150,
        "postprocess_error": None,
    }


def test_a_client_that_comes_back_is_told_so() -> None:
    assert json.loads(resumed(ResumePoint(2, 1))) == {
        "type": "resumed", "status": "ok", "resumed": {"received": 2, "sent": 1}
    }  # fmt: skip
