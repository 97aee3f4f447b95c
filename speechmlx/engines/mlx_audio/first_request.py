"""The request that a bridged model answers while it is loaded, so that a broken device is found then."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from speechmlx.engines import Batched, Steps
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.mlx_audio.alignment import ForcedAligner
from speechmlx.engines.mlx_audio.arguments import SAME, Accepted
from speechmlx.engines.mlx_audio.synthesis import Synthesizer
from speechmlx.engines.parts.warm_up import noise, warm_up
from speechmlx.errors import Busy, EngineFailed, OutOfMemory
from speechmlx.types import (
    Align,
    Chunk,
    DetectLanguage,
    Diarize,
    Enhance,
    Progress,
    ReferenceVoice,
    Request,
    Speak,
    Transcribe,
)

log = logging.getLogger(__name__)

TEXT, DESCRIPTION = "Hello.", "A calm voice."
HEARD, IMITATED = 0.5, 1.0
"""Seconds of noise that are heard, and whose voice is imitated."""
BOUNDS = {"max_tokens": 12, "num_steps": 2}
"""Options that keep an answer short, where the family has them."""
NOTHING = re.compile(r"No arrays provided|zero size|with size 0")
"""MLX's words where a family joins the sound, or reduces the tokens, of a model that ended its answer at once."""
VOICELESS = ("pocket_tts",)
"""Families that need a recording where the model has no voices."""


def first_request(engine: Any) -> Iterator[Progress]:
    """Answer it. Raises NotFinite and MLX's errors; that this model wants more, or cannot say just that, is logged."""
    checkpoint = engine.checkpoint
    try:
        if isinstance(engine, Batched):
            yield from warm_up(engine, spoken(checkpoint), (1, 2))
            return
        steps = _steps(engine)
        try:
            for done, event in enumerate(steps):
                yield Progress("warm_up", done, done + 1)
                if isinstance(event, Chunk):  # every network has run
                    break
        finally:
            steps.close()  # type: ignore[attr-defined]
            if isinstance(engine, Synthesizer):
                engine.imitated.forget()
    except (NotFinite, EngineFailed, Busy, OutOfMemory, MemoryError):
        raise
    except Exception as error:  # families also assert that there is sound, or take the first of none
        # MLX's own, of an operation that cannot be: other requests would fail, too.
        own = str(error).startswith("[") and not isinstance(error, OSError)
        if own and not NOTHING.search(str(error)):
            raise
        log.warning("%s was not warmed up: %s", checkpoint.family, str(error) or repr(error))


def _steps(engine: Any) -> Steps:
    checkpoint = engine.checkpoint
    heard = noise(HEARD, checkpoint.rate)
    request: Request
    if checkpoint.part == "sts":
        stream = engine.open(Enhance())
        yield from stream.feed(heard.samples)
        yield from stream.finish()
        stream.close()
        return
    if isinstance(engine, Synthesizer):
        request = spoken(checkpoint, checkpoint.family in VOICELESS and not engine.voices)
    elif isinstance(engine, ForcedAligner):
        request = Align(audio=heard, text=TEXT)
    elif checkpoint.part == "vad":
        request = Diarize(audio=heard)
    elif checkpoint.part == "lid":
        request = DetectLanguage(audio=heard, vad=False)
    else:
        request = Transcribe(audio=heard, vad=False)
    yield from engine.run(request)


def spoken(checkpoint: Any, imitates: bool = False) -> Speak:
    """A word, in the voice of a recording if it `imitates` one, or as described where a model needs that."""
    accepted = Accepted.by(checkpoint.family, checkpoint.model.generate)
    bounds = {name: value for name, value in BOUNDS.items() if accepted.first(name, *SAME.get(name, ()))}
    voice = ReferenceVoice(noise(IMITATED, checkpoint.rate), TEXT, "warm-up") if imitates else None
    is_described = getattr(getattr(checkpoint.model, "config", None), "tts_model_type", "") == "voice_design"
    return Speak(text=TEXT, voice=voice, instructions=DESCRIPTION if is_described else None, options=bounds)
