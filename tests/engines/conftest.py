"""Engine tests run on what the engine process runs on: `python -m speechmlx.runtime.worker.blas pytest`.

On a Mac that is the GPU; SPEECHMLX_DEVICE chooses, as for a server: hosted machines have no GPU to trust.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from speechmlx.engines import LoadOptions
from speechmlx.runtime.worker import blas, device
from speechmlx.types import Progress

if TYPE_CHECKING:
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


@pytest.fixture(scope="module")
def engine(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions
) -> LanguageModelEngine:
    """The starter profile's language model. Files about other engines have theirs under this name."""
    from speechmlx.engines import llm

    return loaded(llm.load(model_folder("smollm2-135m-instruct"), options))
