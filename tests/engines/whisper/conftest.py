"""Whisper engines on the starter weights, and the recordings to transcribe."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from speechmlx.engines.whisper.engine import Whisper
from speechmlx.types import Audio

MODELS = ("tiny.en", "base")


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def load(shared: Callable[[str], Any]) -> Callable[[str], Whisper]:
    return lambda name: shared(f"whisper-{name}")


@pytest.fixture
def engine(load: Callable[[str], Whisper], model: str) -> Whisper:
    return load(model)


@pytest.fixture
def tiny(load: Callable[[str], Whisper]) -> Whisper:
    return load("tiny.en")


@pytest.fixture(scope="session")
def speech(clip: Callable[[str], Path]) -> Callable[[str], Audio]:
    @functools.cache
    def speech(name: str) -> Audio:
        samples, rate = soundfile.read(clip(name), dtype="float32")
        return Audio(samples, rate)

    return speech
