"""Engine tests run on what the engine process runs on: `python -m speechmlx.runtime.worker.blas pytest`.

On a Mac that is the GPU; SPEECHMLX_DEVICE chooses, as for a server: hosted machines have no GPU to trust.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr
from support.cpu_runs import on_cpu

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines import LoadOptions
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.worker import blas, device
from speechmlx.types import Audio, Progress, Segment, Transcribe

if TYPE_CHECKING:
    from speechmlx.engines.kokoro.engine import Kokoro
    from speechmlx.engines.llm.engine import LanguageModelEngine

BLAS_IN = not blas.is_available() or blas.is_loaded()


@pytest.fixture(scope="session", autouse=True)
def options() -> LoadOptions:
    """How the engine process loads models on this machine."""
    if not BLAS_IN:
        pytest.fail("run these as `python -m speechmlx.runtime.worker.blas pytest ...`: mlx has its own slow BLAS here")
    return device.device(os.environ.get("SPEECHMLX_DEVICE", "auto"))[0]


@pytest.fixture(scope="session")
def cold(options: LoadOptions) -> LoadOptions:
    """The same without a warm-up."""
    return replace(options, warm_up=False)


@pytest.fixture
def cpu() -> Iterator[LoadOptions]:
    """How models are loaded for a CPU, without a warm-up; MLX computes on it in the test, on a Mac too."""
    with on_cpu() as options:
        yield options


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
def shared(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions
) -> Callable[[str], Any]:
    """shared(name) → the engine of a catalog row, loaded once for all tests, which must leave no request open."""

    @functools.cache
    def load(name: str) -> Any:
        module, _, function = CATALOG.resolve(name).engine.partition(":")
        return loaded(getattr(import_module(module), function)(model_folder(name), options))

    return load


@pytest.fixture(scope="session")
def kokoro_engine(shared: Callable[[str], Any]) -> Kokoro:
    return shared("kokoro-82m")


@pytest.fixture(scope="session")
def heard(shared: Callable[[str], Any]) -> Callable[..., list[Segment]]:
    """heard(PCM16 at 24 kHz, words=False) → what a small Whisper hears, and with `words` when."""
    listener = shared("whisper-tiny.en")

    def run(pcm16: bytes, words: bool = False) -> list[Segment]:
        audio = Audio(soxr.resample(from_pcm16(pcm16), 24000, 16000).astype(np.float32), 16000)
        state, segments = listener.begin(Transcribe(audio=audio, words=words)), []
        while not state.finished:
            (events,) = listener.step([state])
            segments += [event for event in events if isinstance(event, Segment)]
        listener.end(state)
        return segments

    return run


@pytest.fixture(scope="module")
def engine(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions
) -> LanguageModelEngine:
    """The starter profile's language model. Files about other engines have theirs under this name."""
    from speechmlx.engines import llm

    return loaded(llm.load(model_folder("smollm2-135m-instruct"), options))
