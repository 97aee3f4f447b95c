"""What every test may ask for, fetched for real and kept in the cache: the folder of a model, the file of a clip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from support import clips

from speechmlx.models import catalog, store

# On CI the same examples every time, so that a red run is about the change; elsewhere new ones, to find what is left.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def model_folder() -> Callable[[str], Path]:
    """model_folder(name) → the whole folder of a catalog row."""
    return lambda name: store.fetch(catalog.CATALOG.resolve(name), store.cache_folder())


@pytest.fixture(scope="session")
def clip() -> Callable[[str], Path]:
    """clip(name) → the file of clips.CLIPS[name]; its words are beside it there."""
    return clips.path
