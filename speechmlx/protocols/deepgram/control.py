"""Control messages of Deepgram's live APIs: JSON objects with a "type". And the reasons for which sockets close."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.protocols.ws import Close

SHORT = 64
"""A binary message of fewer bytes may be a control message: a frequent mistake of clients."""
LONGEST_REASON = 123
"""Bytes of the reason of a close, at most (RFC 6455)."""


@dataclass(frozen=True)
class ControlMessage:
    """A control message."""

    type: str
    fields: dict[str, Any]


def read_control(message: str | bytes) -> ControlMessage | None:
    """The control message in a message; None: it is audio. Raises BadRequest for text that is none."""
    if isinstance(message, bytes):
        return _short(message)
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the message is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise BadRequest('the message must be an object with a "type"')
    return ControlMessage(found["type"], found)


def _short(message: bytes) -> ControlMessage | None:
    if len(message) >= SHORT or not message.lstrip().startswith(b"{"):
        return None
    try:
        return read_control(message.decode())
    except (UnicodeDecodeError, BadRequest):
        return None


def closing(code: int, reason: str) -> Close:
    """A close with as much of the reason as fits."""
    return Close(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))
