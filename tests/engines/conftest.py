"""Engine tests run on what the engine process runs on: `python -m speechmlx.runtime.worker.blas pytest`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines import LoadOptions, kokoro, whisper
from speechmlx.runtime.worker import blas, device
from speechmlx.types import Audio, Progress, Segment, Transcribe

if TYPE_CHECKING:
    from speechmlx.engines.kokoro.engine import Kokoro

BLAS_IN = not blas.is_available() or blas.is_loaded()


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    if not BLAS_IN:
        pytest.fail("run these as `python -m speechmlx.runtime.worker.blas pytest ...`: mlx has its own slow BLAS here")
    device.device()


@pytest.fixture(scope="session")
def loaded() -> Callable[[Generator[Progress, None, Any]], Any]:
    """Runs a loader to its end and gives the engine; its progress must never go back nor over the total."""

    def run(steps: Generator[Progress, None, Any]) -> Any:
        before = -1
        while True:
            try:
                progress = next(steps)
            except StopIteration as done:
                return done.value
            if progress.stage == "load":
                assert before <= progress.done <= progress.total
                before = progress.done

    return run


@pytest.fixture(scope="session")
def kokoro_engine(model_folder: Callable[[str], Path], loaded: Callable[..., Any]) -> Kokoro:
    return loaded(kokoro.load(model_folder("kokoro-82m"), LoadOptions()))


@pytest.fixture(scope="session")
def heard(model_folder: Callable[[str], Path], loaded: Callable[..., Any]) -> Callable[..., list[Segment]]:
    """heard(PCM16 at 24 kHz, words=False) → what a small Whisper hears, and with `words` when."""
    listener = loaded(whisper.load(model_folder("whisper-tiny.en"), LoadOptions()))

    def run(pcm16: bytes, words: bool = False) -> list[Segment]:
        audio = Audio(soxr.resample(from_pcm16(pcm16), 24000, 16000).astype(np.float32), 16000)
        state, segments = listener.begin(Transcribe(audio=audio, words=words)), []
        while not state.finished:
            (events,) = listener.step([state])
            segments += [event for event in events if isinstance(event, Segment)]
        listener.end(state)
        return segments

    return run
