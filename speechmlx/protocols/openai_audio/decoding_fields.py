"""How a recording is decoded, for those who want to say: fields beyond OpenAI's, named as faster-whisper names them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import zip_longest
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
    if options.value(given, "beam_size") is not None:
        found["beam_size"] = options.integer(given, "beam_size", 1, 1, MANY)
    if prefix := options.text(given, "prefix"):
        found["prefix"] = prefix
    if options.value(given, "condition_on_previous_text") is not None:
        found["condition_on_previous_text"] = options.flag(given, "condition_on_previous_text")
    if options.value(given, "vad_filter") is not None:
        found["vad"] = options.flag(given, "vad_filter")
    if clips := _numbers(given, "clip_timestamps", float):
        found["clips"] = _clips(clips)
    if (tokens := _numbers(given, "suppress_tokens", int)) is not None:
        found["suppress_tokens"] = tokens
    return found


def _clips(seconds: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """(start, end) of each clip; one that is not ended goes on to the end of the recording. Raises BadRequest."""
    clips = tuple(zip_longest(seconds[::2], seconds[1::2], fillvalue=math.inf))
    later = (0.0, *(end for _, end in clips))
    if not all(last <= start < end for last, (start, end) in zip(later, clips, strict=False)):
        raise BadRequest(
            "'clip_timestamps' must be seconds that ascend, start,end,start,end,..., the first 0 or more; the last end "
            f"may be left out; not {', '.join(f'{one:g}' for one in seconds):.80}"
        )
    return clips


def _numbers(given: Mapping[str, Any], name: str, kind: Callable[[Any], Number]) -> tuple[Number, ...] | None:
    """Numbers of a list, or of a text with commas; None where it is absent. Raises BadRequest."""
    if options.value(given, name) is None:
        return None
    try:
        return tuple(kind(one) for one in options.several(given, name))
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"{name!r} must be numbers with commas between them, not {given[name]!r:.80}") from None
