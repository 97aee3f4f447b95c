"""A tiny FishSpeech through its conversion and the real loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.tiny_fishspeech import write_model

from speechmlx.engines import LoadOptions
from speechmlx.engines.fishspeech import load
from speechmlx.engines.fishspeech.engine import FishSpeech


@pytest.fixture(scope="session")
def fish(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any]) -> FishSpeech:
    engine: FishSpeech = loaded(load(write_model(tmp_path_factory.mktemp("fish")), LoadOptions(warm_up=False)))
    return engine
