"""The messages of the WebSocket /v1/speak: what is to be spoken, and what the client is told. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechmlx import __version__
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.control import closing
from speechmlx.protocols.deepgram.results import model_uuid
from speechmlx.protocols.deepgram.speech_request import Speaker
from speechmlx.protocols.http.lenient_json import check_text
from speechmlx.protocols.ws import Close, ResumePoint

IDLE = 3600.0
"""Seconds without a message after which the socket is closed."""
TYPES = ("Speak", "Flush", "Clear", "Close")
SILENT_TYPES = ("KeepAlive",)
"""Types that need no answer."""
ENDS = ".!?"
QUOTED = 200
"""Characters of a client's message that a warning quotes."""


@dataclass(frozen=True)
class FlushSpeech:
    """Say Flushed when all text before it was spoken."""


@dataclass(frozen=True)
class ClearSpeech:
    """Drop at once what was not sent yet."""


@dataclass(frozen=True)
class Tell:
    """Send a message at once."""

    message: str


@dataclass(frozen=True)
class HangUp:
    """Close the socket when all text before it was spoken."""

    close: Close


Task = TimedText | FlushSpeech | ClearSpeech | Tell | HangUp


class SpeakWire:
    """One connection's language. `limit`: characters of one message's text (0: none). `now`: a monotonic clock."""

    def __init__(self, request_id: str, speaker: Speaker, limit: int, now: float) -> None:
        self._request_id = request_id
        self._speaker = speaker
        self._limit = limit
        self._heard = now
        self._last = ""
        """The last characters of the text since it was flushed or cleared."""
        self._sequence = 0

    def open(self, **more: object) -> str:
        """The first message."""
        uuid, name = model_uuid(self._speaker.model), self._speaker.name
        found = {"request_id": self._request_id, "model_name": name, "model_version": __version__, "model_uuid": uuid}
        return _message("Metadata", **found, **more)

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back."""
        return self.open(resumed=point.fields)

    def receive(self, message: str | bytes, now: float) -> Sequence[Task]:
        """The tasks in a message of the client, in order."""
        self._heard = now
        try:
            fields = _parsed(message)
        except BadRequest as error:
            return [Tell(warning("INVALID_MESSAGE", str(error)))]
        match fields.get("type"):
            case "Speak":
                return self._speak(fields.get("text"), now)
            case "Flush":
                self._last = ""
                return [FlushSpeech()]
            case "Clear":
                self._last = ""
                return [ClearSpeech()]
            case "Close":
                return [HangUp(Close())]
            case kind if kind in SILENT_TYPES:
                return []
            case kind:
                allowed = ", ".join(TYPES)
                return [Tell(warning("INVALID_MESSAGE", f"'type' must be one of {allowed}, not {kind!r:.80}"))]

    def flushed(self) -> str:
        """The answer to a Flush."""
        return self._numbered("Flushed")

    def cleared(self) -> str:
        """The answer to a Clear."""
        return self._numbered("Cleared")

    def tick(self, now: float) -> Close | None:
        """The end of a socket on which nothing came for IDLE seconds."""
        if now - self._heard < IDLE:
            return None
        return Close(1011, f"NET-0003: no message came within {IDLE / 60:.0f} minutes")

    def _speak(self, text: Any, now: float) -> Sequence[Task]:
        if not isinstance(text, str):
            return [Tell(warning("INVALID_MESSAGE", f"'text' of Speak must be a string, not {text!r:.80}"))]
        if self._limit and len(text) > self._limit:
            reason = f"BIG-0001: 'text' has {len(text)} characters; the limit is {self._limit} (max_input_chars)"
            return [HangUp(closing(1009, reason))]
        if not text:
            return []
        if _is_new_sentence(self._last, text):
            text = f" {text}"
        self._last = (self._last + text)[-2:]
        return [TimedText(text, now)]

    def _numbered(self, kind: str) -> str:
        number, self._sequence = self._sequence, self._sequence + 1
        return _message(kind, sequence_id=number)


def warning(code: str, description: str) -> str:
    """A Warning, with the names that its fields have in every version of the API."""
    return _message("Warning", code=code, description=description, warn_code=code, warn_msg=description)


def failure(code: str, description: str) -> str:
    """An Error, after which the socket is closed."""
    return _message("Error", code=code, description=description, message=description, variant=code)


def _message(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))


def _parsed(message: str | bytes) -> dict[str, Any]:
    """The object in a message, also in a binary one. Raises BadRequest."""
    try:
        fields = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the message is not valid JSON: {error}: {message[:QUOTED]!r}") from error
    if not isinstance(fields, dict):
        raise BadRequest(f"the message must be a JSON object, not {type(fields).__name__}")
    check_text(fields)
    return fields


def _is_new_sentence(last: str, text: str) -> bool:
    """Whether `text` begins a sentence after one that ends in `last`: messages often have no space between them."""
    return len(last) == 2 and last[0].islower() and last[1] in ENDS and text[0].isupper()
