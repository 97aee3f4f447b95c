"""Tiny Qwen3-TTS models through the real loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import tiny_talker

from speechmlx.engines import LoadOptions
from speechmlx.engines.qwen3_tts import load
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts


@pytest.fixture(scope="session")
def make(
    tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions
) -> Callable[..., Qwen3Tts]:
    def make(kind: str, options: LoadOptions = cold, **how: Any) -> Qwen3Tts:
        return loaded(load(tiny_talker.write(tmp_path_factory.mktemp(kind) / "weights", kind, **how), options))

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
