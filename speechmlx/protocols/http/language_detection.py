"""Detection of the language that is spoken in a recording, without decoding its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing

from speechmlx.errors import BadRequest, UnknownModel, Unsupported
from speechmlx.recognition import Submitter, recognise, resampled
from speechmlx.types import Audio, DetectLanguage, Event, Kind, LanguageDetected, Segment, Transcribe

WINDOW = 30
"""Seconds of sound that a model detects a language in."""
SEARCHED = 600
"""Seconds of a recording that are searched for speech: a film may begin with minutes of music."""
SURE = 0.8
"""Probability at which no further window is searched. Noise may reach 0.7."""


async def detect_language(runtime: Submitter, model: str, audio: Audio) -> LanguageDetected:
    """The language of the first window with a probability of SURE, else the likeliest over all windows with speech.

    In a recording without speech, it is the language that the model detects at its beginning. That is `model`, a
    recogniser, unless one is set that tells languages apart and nothing else. Raises BadRequest for a recording that is
    too short, and Unsupported for a recogniser that tells no language.
    """
    probabilities: dict[str, float] = defaultdict(float)
    windows = 0
    for window in _windows(audio):
        detected = await _detect(runtime, model, window, vad=True)
        if detected is not None and detected.probability >= SURE:
            return detected
        if detected is not None:
            windows += 1
            probabilities[detected.language] += detected.probability
    if probabilities:
        code = max(probabilities, key=lambda language: probabilities[language])
        return LanguageDetected(code, probabilities[code] / windows)
    beginning = Audio(audio.samples[: WINDOW * audio.rate], audio.rate)
    detected = await _detect(runtime, model, beginning, vad=False)
    if detected is None:
        raise BadRequest("the recording is too short for its language to be told")
    return detected


def _windows(audio: Audio) -> Iterator[Audio]:
    size = WINDOW * audio.rate
    for start in range(0, len(audio.samples), size):
        yield Audio(audio.samples[start : start + size], audio.rate)


async def _detect(runtime: Submitter, model: str, audio: Audio, vad: bool) -> LanguageDetected | None:
    """The language that the model detects before it decodes; None where there is no speech."""
    async with AsyncExitStack() as stack:
        events: AsyncIterator[Event]
        try:
            identifier = runtime.model(None, Kind.LID)
        except UnknownModel:
            events = await stack.enter_async_context(
                aclosing(recognise(runtime, Transcribe(model=model, audio=audio, vad=vad)))
            )
        else:
            request = DetectLanguage(model=identifier.name, audio=await resampled(audio, identifier.rate), vad=vad)
            events = await stack.enter_async_context(runtime.submit(request))
        async for event in events:
            if isinstance(event, LanguageDetected):
                return event
            if isinstance(event, Segment):
                raise Unsupported(
                    f"{model} does not tell which language it hears; name a model that does, such as a multilingual "
                    "Whisper, or start the server with --lid"
                )
    return None
