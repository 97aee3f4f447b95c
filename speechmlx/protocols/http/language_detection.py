"""Detection of the language that is spoken in a recording, without decoding its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import aclosing

from speechmlx.errors import BadRequest
from speechmlx.recognition import Submitter, recognise
from speechmlx.types import Audio, LanguageDetected, Transcribe

WINDOW = 30
"""Seconds of sound that a model detects a language in."""
SEARCHED = 600
"""Seconds of a recording that are searched for speech: a film may begin with minutes of music."""
SURE = 0.8
"""Probability at which no further window is searched. Noise may reach 0.7."""


async def detect_language(runtime: Submitter, model: str, audio: Audio) -> LanguageDetected:
    """The language of the first window with a probability of SURE, else the likeliest over all windows with speech.

    In a recording without speech, it is the language that the model detects at its beginning. Raises BadRequest for a
    recording that is too short.
    """
    probabilities: dict[str, float] = defaultdict(float)
    windows = 0
    for window in _windows(audio):
        detected = await _detect(runtime, Transcribe(model=model, audio=window))
        if detected is not None and detected.probability >= SURE:
            return detected
        if detected is not None:
            windows += 1
            probabilities[detected.language] += detected.probability
    if probabilities:
        code = max(probabilities, key=lambda language: probabilities[language])
        return LanguageDetected(code, probabilities[code] / windows)
    beginning = Audio(audio.samples[: WINDOW * audio.rate], audio.rate)
    detected = await _detect(runtime, Transcribe(model=model, audio=beginning, vad=False))
    if detected is None:
        raise BadRequest("the recording is too short for its language to be told")
    return detected


def _windows(audio: Audio) -> Iterator[Audio]:
    size = WINDOW * audio.rate
    for start in range(0, len(audio.samples), size):
        yield Audio(audio.samples[start : start + size], audio.rate)


async def _detect(runtime: Submitter, request: Transcribe) -> LanguageDetected | None:
    """The language that the model detects before it decodes; None where there is no speech."""
    async with aclosing(recognise(runtime, request)) as events:
        async for event in events:
            if isinstance(event, LanguageDetected):
                return event
    return None
