"""Fixtures of all tests: the folder of a model and the file of a clip. Both are downloaded once, into the cache."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from support import clips

from speechmlx.models import catalog, store

# CI uses the same examples every time, so that a failure is due to the change. Elsewhere they are new each time.
# No example has a time limit: the machine may be busy.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


# Apps in the tests' own process run no jobs of this machine's server. The name is one that servers clean up after.
os.environ["SPEECHMLX_JOB_FOLDER"] = str(Path(tempfile.gettempdir(), f"speechmlx-{os.getpid()}-jobs"))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def model_folder() -> Callable[[str], Path]:
    """model_folder(name) → the folder of a catalog row, with all of its files."""
    return lambda name: store.fetch(catalog.CATALOG.resolve(name), store.cache_folder())


@pytest.fixture(scope="session")
def clip() -> Callable[[str], Path]:
    """clip(name) → the file of clips.CLIPS[name]."""
    return clips.path
