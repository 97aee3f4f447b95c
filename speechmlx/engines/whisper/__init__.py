"""Whisper: batched transcription and live listening. `load` is the engine's import string."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.finite import raise_first
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.model.alignment_heads import alignment_heads
from speechmlx.engines.whisper.model.mel import RATE
from speechmlx.engines.whisper.model.weights import load_network
from speechmlx.types import Audio, Progress, Transcribe


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Whisper]:
    """Load the Whisper in `folder` (config.json and model.safetensors in mlx-whisper's layout)."""
    network = yield from load_network(folder, options)
    engine = Whisper(network, alignment_heads(folder, network.dims), options.device)
    if options.warm_up:
        yield from _warm_up(engine)
    return engine


def _warm_up(engine: Whisper) -> Generator[Progress, None, None]:
    """Transcribe a second of silence, so that the first request finds kernels compiled and buffers allocated."""
    silence = Audio(np.zeros(RATE, np.float32), RATE)
    state = engine.offline.begin(Transcribe(audio=silence, temperatures=(0.0,), vad=False))
    done = 0
    while not state.finished:
        raise_first(engine.step([state]))
        done += 1
        yield Progress("warm_up", done, done + (not state.finished))
    engine.end(state)
