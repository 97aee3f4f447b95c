"""Tiny Qwen3-TTS models through the real loader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import tiny_talker

from speechmlx.engines import LoadOptions
from speechmlx.engines.parts.frame_synthesis import MOST_PIECE
from speechmlx.engines.qwen3_tts import load
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.engines.step_size import StepSize


@pytest.fixture(scope="session")
def make(
    tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions
) -> Callable[..., Qwen3Tts]:
    def make(kind: str, options: LoadOptions = cold, **how: Any) -> Qwen3Tts:
        engine: Qwen3Tts = loaded(
            load(tiny_talker.write(tmp_path_factory.mktemp(kind) / "weights", kind, **how), options)
        )
        engine._piece = StepSize(
            MOST_PIECE, MOST_PIECE, MOST_PIECE
        )  # a prompt is one step, however busy the machine is
        return engine

    return make


@pytest.fixture(scope="session")
def custom(make: Callable[..., Qwen3Tts]) -> Qwen3Tts:
    return make("custom_voice")


@pytest.fixture(scope="session")
def base(make: Callable[..., Qwen3Tts]) -> Qwen3Tts:
    return make("base")


@pytest.fixture(scope="session")
def design(make: Callable[..., Qwen3Tts]) -> Qwen3Tts:
    return make("voice_design")


@pytest.fixture(params=[False, True], ids=["waiting", "pipelined"])
def pipelined(request: pytest.FixtureRequest, custom: Qwen3Tts, base: Qwen3Tts, design: Qwen3Tts) -> Iterator[bool]:
    """The engines read each frame before they launch the next one, and then not."""
    loops = [engine.loop for engine in (custom, base, design)]
    for loop in loops:
        loop.pipelined = request.param
    yield request.param
    for loop in loops:
        loop.pipelined = False
