"""How a recording is decoded, for those who want to say: fields beyond OpenAI's, named as faster-whisper names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from speechmlx.errors import BadRequest
from speechmlx.protocols.http import options

FIELDS = ("beam_size", "prefix", "condition_on_previous_text", "vad_filter", "clip_timestamps", "suppress_tokens")
MANY = 1000
"""More than any model takes, which says so."""

Number = TypeVar("Number", int, float)


def read_decoding(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Transcribe` for those of FIELDS that are given. Raises BadRequest."""
    found: dict[str, Any] = {}
    if given.get("beam_size") is not None:
        found["beam_size"] = options.integer(given, "beam_size", 1, 1, MANY)
    if prefix := options.text(given, "prefix"):
        found["prefix"] = prefix
    if given.get("condition_on_previous_text") is not None:
        found["condition_on_previous_text"] = options.flag(given, "condition_on_previous_text")
    if given.get("vad_filter") is not None:
        found["vad"] = options.flag(given, "vad_filter")
    if clips := _numbers(given, "clip_timestamps", float):
        if len(clips) % 2:
            raise BadRequest("'clip_timestamps' must be pairs of seconds, start,end,start,end,...")
        found["clips"] = tuple(zip(clips[::2], clips[1::2], strict=True))
    if (tokens := _numbers(given, "suppress_tokens", int)) is not None:
        found["suppress_tokens"] = tokens
    return found


def _numbers(given: Mapping[str, Any], name: str, kind: Callable[[Any], Number]) -> tuple[Number, ...] | None:
    """Numbers of a list, or of a text with commas."""
    value = given.get(name)
    if value is None:
        return None
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    try:
        return tuple(kind(one) for one in values if one != "")
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"{name!r} must be numbers with commas between them, not {value!r:.80}") from None
