"""Speakers in the HTTP protocols: the settings that a client sends."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from speechmlx.errors import BadAudio, BadRequest
from speechmlx.protocols.http import options
from speechmlx.protocols.http.base64_audio import decode_base64
from speechmlx.protocols.http.json_bounds import LongText
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.request_body import spool
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.types import Audio, KnownSpeaker

NAMES, REFERENCES = "known_speaker_names", "known_speaker_references"
MOST_KNOWN = 4
LONGEST_NAME = 64
SECONDS = (2.0, 10.0)
"""Length of a recording of a known speaker, in seconds: the shortest and the longest."""
SEARCHED = 60.0
"""Seconds of such a recording that are decoded, to tell its length."""
MOST_SPEAKERS = 50


def read_most_speakers(fields: Mapping[str, Any]) -> int | None:
    """`max_speakers`; None where it is absent. Raises BadRequest."""
    return options.integer(fields, "max_speakers", 0, 0, MOST_SPEAKERS) or None


async def read_known_speakers(
    context: RequestContext, names: list[Any], references: list[Any], rate: int
) -> tuple[KnownSpeaker, ...]:
    """The known speakers: for each a name, and a recording as data: URL or base64.

    Raises BadRequest, and what decoding raises.
    """
    if len(names) != len(references):
        raise BadRequest(
            f"{NAMES!r} and {REFERENCES!r} must be as many: {len(names)} names and {len(references)} recordings came"
        )
    if len(names) > MOST_KNOWN:
        raise BadRequest(f"at most {MOST_KNOWN} speakers can be known, not {len(names)}")
    for name in names:
        if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
            raise BadRequest(f"{NAMES!r} must be texts of 1 to {LONGEST_NAME} characters, not {name!r:.80}")
    stripped = [name.strip() for name in names]
    if len(set(stripped)) < len(stripped):
        raise BadRequest(f"{NAMES!r} must differ, not {', '.join(stripped)}")
    return tuple(
        [
            KnownSpeaker(name, await _reference(context, name, text, rate))
            for name, text in zip(stripped, references, strict=True)
        ]
    )


async def _reference(context: RequestContext, name: str, text: Any, rate: int) -> Audio:
    """The recording of a known speaker at `rate` Hz."""
    what = f"the recording of the known speaker {name!r}"
    if not isinstance(text, str | LongText):
        raise BadRequest(f"{what} must be a data: URL, not {text!r:.80}")
    async with AsyncExitStack() as stack:
        file = spool(stack)
        for piece in decode_base64(what, text):
            file.write(piece)
        file.seek(0)
        try:
            audio = await context.services.decoding.decode(file, rate, stack, span=(0.0, SEARCHED))
        except BadAudio as error:
            raise BadAudio(f"{what}: {error}") from error
        shortest, longest = SECONDS
        if not shortest <= round(audio.duration, 1) <= longest:
            raise BadRequest(f"{what} has {audio.duration:.1f} s; it must have {shortest:g} to {longest:g} s of speech")
        return audio


def separate(fields: Mapping[str, Any], name: str) -> list[Any]:
    """The values of a list whose texts may hold commas: each as it was sent, or the entries of a JSON list."""
    raw = options.value(fields, name)
    entries = raw if isinstance(raw, list) else [] if raw is None else [raw]
    found: list[Any] = []
    for entry in entries:
        if isinstance(entry, str) and entry.lstrip().startswith("["):
            try:
                found += list(read_json(entry))
            except (ValueError, RecursionError) as error:
                raise BadRequest(f"{name!r} is not valid JSON: {error}") from error
        else:
            found.append(entry)
    return found
