"""The library with scripted engines in a real engine process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import fetched
from support.scripted_conversation import LIVE_MODELS

from speechmlx import Speech

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def library_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which a Speech has the engines of support/scripted_conversation.py as its defaults."""
    return {
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(fetched.fill(tmp_path_factory.mktemp("library") / "cache")),
        "SPEECHMLX_MODELS": f"{LIVE_MODELS},diarize=scripted-diarizer",
        "SPEECHMLX_AUDIO_TIMEOUT": "0",
        "SPEECHMLX_PROFILE": "starter",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }


@pytest.fixture(autouse=True)
def scripted_environment(library_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here has these variables, and so have the processes that it starts."""
    for name, value in library_environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def speech(library_environment: dict[str, str]) -> Iterator[Speech]:
    """A shared Speech, whose engine process starts with the first test. Tests must not close it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in library_environment.items():
            patch.setenv(name, value)
        made = Speech()
    with made:
        yield made
