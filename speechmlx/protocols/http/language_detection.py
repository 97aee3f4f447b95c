"""Which language is spoken in a recording, told before a word of it is decoded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.routing import Call
from speechmlx.types import Audio, LanguageDetected, Transcribe

WINDOW = 30
"""Seconds that a language is told from."""
LOOKED_AT = 600
"""Seconds in which to look for it: a film may begin with minutes of music."""
SURE = 0.8
"""Probability of a language with which no further window is looked at; noise may reach 0.7."""


async def language(call: Call, model: str, audio: Audio) -> LanguageDetected:
    """The language of the first window that is sure, else the likeliest over all windows in which anybody speaks.

    A recording without speech gives what the model takes its beginning for. Raises BadRequest for one that is too
    short.
    """
    chances: dict[str, float] = defaultdict(float)
    heard = 0
    for window in _windows(audio):
        found = await _first(call, Transcribe(model=model, audio=window))
        if found is not None and found.probability >= SURE:
            return found
        if found is not None:
            heard += 1
            chances[found.language] += found.probability
    if chances:
        code = max(chances, key=lambda one: chances[one])
        return LanguageDetected(code, chances[code] / heard)
    beginning = Audio(audio.samples[: WINDOW * audio.rate], audio.rate)
    found = await _first(call, Transcribe(model=model, audio=beginning, vad=False))
    if found is None:
        raise BadRequest("the recording is too short for its language to be told")
    return found


def _windows(audio: Audio) -> Iterator[Audio]:
    size = WINDOW * audio.rate
    for start in range(0, len(audio.samples), size):
        yield Audio(audio.samples[start : start + size], audio.rate)


async def _first(call: Call, request: Transcribe) -> LanguageDetected | None:
    """What the model says before it decodes; None where it finds no speech."""
    async with call.runtime.submit(request) as job:
        async for event in job:
            if isinstance(event, LanguageDetected):
                return event
    return None
