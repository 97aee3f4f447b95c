"""Qwen3-TTS: voices of its own, of recordings and by description. `load` is the engine's import string.

The talker predicts one frame of 80 ms after the other from text and from the frames before it; the code predictor
completes each frame; the codec makes it sound. Requests share each step.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from speechmlx.engines import LoadOptions
from speechmlx.engines.parts.warm_up import noise, warm_up
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.qwen3_tts.loading import read_engine
from speechmlx.types import Progress, ReferenceVoice, Speak

WARM_UP = "Hello."
FRAMES = 3


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Qwen3Tts]:
    """Load the Qwen3-TTS in `folder`, with tokenizer and speech_tokenizer/ as mlx-community has them."""
    engine = yield from read_engine(folder, options)
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _warm_up(engine: Qwen3Tts) -> Generator[Progress, None, None]:
    """Speak a few frames alone and a few together, so that the first requests find kernels compiled."""
    voice = None
    if engine.config.variant == "base":
        voice = ReferenceVoice(noise(1.0, 24_000), "", "warm-up")
    described = "A calm voice." if engine.config.variant == "voice_design" else None
    request = Speak(text=WARM_UP, voice=voice, instructions=described, options={"max_tokens": FRAMES})
    yield from warm_up(engine, request, (1, 2))
    engine.forget_voices()
