"""A tiny FishSpeech through its conversion and the real loader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mlx.core as mx
import pytest
from support.tiny_fishspeech import write_model

from speechmlx.engines import LoadOptions
from speechmlx.engines.fishspeech import load
from speechmlx.engines.fishspeech.engine import FishSpeech
from speechmlx.engines.parts.frame_synthesis import MOST_PIECE
from speechmlx.engines.step_size import StepSize


@pytest.fixture(scope="session")
def fish(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> FishSpeech:
    """Its weights are float32, on a GPU too, as the reference's numbers are; test_names has them as published."""
    folder = write_model(tmp_path_factory.mktemp("fish"))
    stored: Any = mx.load(str(folder / "model.safetensors"))
    weights = {name: array.astype(mx.float32) for name, array in stored.items()}
    mx.eval(weights)
    (folder / "model.safetensors").unlink()
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    engine: FishSpeech = loaded(load(folder, cold))
    engine._piece = StepSize(MOST_PIECE, MOST_PIECE, MOST_PIECE)  # a prompt is one step, however busy the machine is
    return engine


@pytest.fixture(params=[False, True], ids=["waiting", "pipelined"])
def pipelined(request: pytest.FixtureRequest, fish: FishSpeech) -> Iterator[bool]:
    """The engine reads each frame before it launches the next one, and then not."""
    fish.loop.pipelined = request.param
    yield request.param
    fish.loop.pipelined = False
