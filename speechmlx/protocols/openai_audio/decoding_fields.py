"""Form fields beyond OpenAI's that say how a recording is decoded. Their names are faster-whisper's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any, TypeVar

from speechmlx.errors import BadRequest
from speechmlx.protocols.http import options
from speechmlx.protocols.http.transcription_form import TranscriptionForm

FIELDS = ("beam_size", "prefix", "condition_on_previous_text", "vad_filter", "clip_timestamps", "suppress_tokens")
MAX_BEAMS = 1000
"""More beams than any model takes; the model's own limit is checked later."""

Number = TypeVar("Number", int, float)


def read_decoding(fields: Mapping[str, Any], form: TranscriptionForm) -> TranscriptionForm:
    """`form` with those of FIELDS that were sent. Raises BadRequest."""
    return replace(
        form,
        beam_size=options.integer(fields, "beam_size", form.beam_size, 1, MAX_BEAMS),
        prefix=options.text(fields, "prefix"),
        condition_on_previous_text=options.flag(fields, "condition_on_previous_text"),
        vad=options.flag(fields, "vad_filter", True),
        clips=_clips(_numbers(fields, "clip_timestamps", float, ())),
        suppress_tokens=_numbers(fields, "suppress_tokens", int, form.suppress_tokens),
    )


def _clips(seconds: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """(start, end) of each clip in seconds; a last clip without an end goes on to infinity. Raises BadRequest."""
    clips = tuple(zip_longest(seconds[::2], seconds[1::2], fillvalue=math.inf))
    later = (0.0, *(end for _, end in clips))
    if not all(last <= start < end for last, (start, end) in zip(later, clips, strict=False)):
        raise BadRequest(
            "'clip_timestamps' must be seconds that ascend, start,end,start,end,..., the first 0 or more; the last end "
            f"may be left out; not {', '.join(f'{second:g}' for second in seconds):.80}"
        )
    return clips


def _numbers(
    fields: Mapping[str, Any], name: str, kind: Callable[[Any], Number], default: tuple[Number, ...]
) -> tuple[Number, ...]:
    """The numbers of a list or of text with commas; `default` where the field is absent. Raises BadRequest."""
    if options.value(fields, name) is None:
        return default
    try:
        return tuple(kind(number) for number in options.several(fields, name))
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(f"{name!r} must be numbers with commas between them, not {fields[name]!r:.80}") from None
