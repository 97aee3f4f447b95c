"""The messages of /ws/transcribe: what a client sends → requests, a result → the answer. No I/O."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from speechmlx.errors import BadRequest, SpeechError, TooLarge
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.transcription_form import TASKS, TranscriptionForm
from speechmlx.protocols.one_shot.request_metrics import UNKNOWN
from speechmlx.protocols.ws import ResumePoint
from speechmlx.recognition import RecognitionResult

TYPES = ("transcribe", "ping")
NO_METADATA = (
    'a recording without metadata: first send a text message like {"type": "transcribe", "language": "en"}, then the '
    "recording"
)
UNAUTHORIZED = "unauthorized"

Json = dict[str, Any]


@dataclass(frozen=True)
class Metadata:
    """The first message of a request. `postprocess` None: as the server does by default."""

    form: TranscriptionForm
    machine: str = UNKNOWN
    postprocess: bool | None = None
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RecordingRequest:
    """A whole request: its metadata and the bytes of the recording."""

    metadata: Metadata
    recording: bytes


@dataclass(frozen=True)
class Refusal:
    """The answer {"error": `text`} to a request; `code` is for /metrics."""

    text: str
    code: str
    task: str = TASKS[0]

    @property
    def message(self) -> Json:
        """What the client gets."""
        return {"error": self.text}


@dataclass(frozen=True)
class Pong:
    """The answer to a ping, which does not wait for other answers."""

    @property
    def message(self) -> Json:
        """What the client gets."""
        return {"type": "pong", "status": "ok"}


class OneShotWire:
    """One connection. `accepts` tells whether a key (None: none was sent) is right. `max_bytes` of a recording."""

    def __init__(self, accepts: Callable[[str | None], bool], max_bytes: int) -> None:
        self._accepts = accepts
        self._max_bytes = max_bytes
        self._metadata: Metadata | None = None
        self._refused = False
        """Whether the newest metadata was refused: the recording after it has had its answer."""

    def receive(self, message: str | bytes) -> Pong | Refusal | RecordingRequest | None:
        """The next message of the client. None: it needs no answer."""
        if isinstance(message, str):
            return self._text(message)
        metadata, refused = self._metadata, self._refused
        self._metadata, self._refused = None, False
        if refused:
            return None
        if metadata is None:
            return Refusal(NO_METADATA, BadRequest.code)
        if len(message) > self._max_bytes:
            too_large = f"the recording has {len(message)} bytes, over the limit of {self._max_bytes} (max_audio_bytes)"
            return Refusal(too_large, TooLarge.code, metadata.form.task)
        return RecordingRequest(metadata, message)

    def _text(self, message: str) -> Pong | Refusal | None:
        try:
            fields = read_object(message)
            if options.choice(fields, "type", TYPES) == "ping":
                return Pong()
            self._metadata, self._refused = None, True
            if not self._accepts(options.text(fields, "api_key")):
                return Refusal(UNAUTHORIZED, UNAUTHORIZED)
            self._metadata, self._refused = read_metadata(fields), False
        except SpeechError as error:
            self._metadata, self._refused = None, True
            return Refusal(str(error), error.code)
        return None


def resumed(point: ResumePoint) -> str:
    """The first message to a client that has come back."""
    return json.dumps({"type": "resumed", "status": "ok", "resumed": point.fields})


def read_object(message: str) -> Json:
    """The JSON object in a message. Raises BadRequest."""
    try:
        fields = read_json(message)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the message is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadRequest('the message is not a JSON object like {"type": "transcribe"}')
    return fields


def read_metadata(fields: Json) -> Metadata:
    """The settings of a request. Without a language the model detects it. Raises BadRequest."""
    if options.text(fields, "type") is None:
        raise BadRequest(f"missing 'type': {' or '.join(TYPES)}")
    form = TranscriptionForm(task=options.choice(fields, "task", TASKS), language=options.language(fields))
    machine = options.text(fields, "machine_id") or UNKNOWN
    wanted = None if options.value(fields, "postprocess") is None else options.flag(fields, "postprocess")
    return Metadata(form, machine.strip(), wanted, options.text(fields, "api_key"))


def answer(result: RecognitionResult, text: str | None, milliseconds: int, error: str | None) -> Json:
    """The answer to a request. The last three are what became of the postprocessing."""
    segments = [
        {"text": segment.text.strip(), "start": round(segment.start, 2), "end": round(segment.end, 2)}
        for segment in result.segments
    ]
    return {
        "text": result.text,
        "segments": segments,
        "language": result.spoken_language,
        "postprocessed_text": text,
        "postprocess_ms": milliseconds,
        "postprocess_error": error,
    }
