"""Events of a recognition as lines of JSON, and back: they are equal to those that were written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from speechmlx.types import Checkpoint, Event, LanguageDetected, Segment, SpeakerTurn, Usage, Word

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Checkpoint, LanguageDetected, Segment, SpeakerTurn, Usage)
}
"""The events that a recognition gives."""


def write_event(event: Event) -> str:
    """An event as text."""
    return json.dumps({"kind": type(event).__name__, **asdict(event)}, default=_plain)


def read_event(text: str) -> Event:
    """The event that `write_event` wrote. Raises ValueError."""
    fields = json.loads(text)
    kind = KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise ValueError(f"{text[:80]!r} is no event of a recognition")
    if kind is Segment:
        fields = _segment(fields)
    event: Event = kind(**fields)
    return event


def _segment(fields: Mapping[str, Any]) -> dict[str, Any]:
    words = tuple(Word(**word) for word in fields["words"])
    logprobs = tuple((bytes.fromhex(token["bytes"]), value) for token, value in fields["logprobs"])
    return {**fields, "words": words, "tokens": tuple(fields["tokens"]), "logprobs": logprobs}


def _plain(value: Any) -> Any:
    """What JSON has no form for: bytes, and numpy's numbers."""
    return {"bytes": value.hex()} if isinstance(value, bytes) else value.item()
