"""`keep_wired` finds the weights of every engine that an answer needs, and touches them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speechmlx.engines import LoadOptions, kokoro, llm, whisper
from speechmlx.runtime.worker.wired import MlxMemory, weights_of


@pytest.mark.parametrize(
    ("load", "model"),
    [(whisper.load, "whisper-tiny.en"), (kokoro.load, "kokoro-82m"), (llm.load, "smollm2-135m-instruct")],
)
def test_nearly_all_of_a_model_is_found(
    load: Callable[..., Any],
    model: str,
    model_folder: Callable[[str], Path],
    loaded: Callable[..., Any],
    cold: LoadOptions,
) -> None:
    engine = loaded(load(model_folder(model), cold))
    weights = weights_of(engine)
    assert 0.95 * engine.nbytes <= sum(array.nbytes for array in weights) <= 1.25 * engine.nbytes
    MlxMemory().touch(weights)
