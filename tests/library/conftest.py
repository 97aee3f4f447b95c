"""The library with scripted engines in a real engine process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripted_conversation import LIVE_MODELS

from speechmlx import Speech

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def scripted_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which a Speech has the engines of support/scripted_conversation.py as its defaults."""
    models = f"{LIVE_MODELS},diarize=scripted-diarizer"
    own = {
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(tmp_path_factory.mktemp("library") / "cache"),
        "SPEECHMLX_MODELS": models,
        "SPEECHMLX_AUDIO_TIMEOUT": "0",
        "SPEECHMLX_PROFILE": "starter",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        yield own


@pytest.fixture(scope="session")
def speech(scripted_environment: dict[str, str]) -> Iterator[Speech]:
    """A shared Speech. Tests must not close it."""
    with Speech() as made:
        yield made
