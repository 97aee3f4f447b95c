"""Runs a small ChatTTS as a GPU has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.engine_runs import run, sound
from support.tiny_chattts import write_folder

from speechmlx.engines import LoadOptions, chattts
from speechmlx.types import Speak


def speak_in_narrow_types(folder: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    """The language model alone is narrow, and it speaks."""
    engine = loaded(chattts.load(write_folder(folder), options))
    assert {weight.dtype for _, weight in tree_flatten(engine._model.parameters())} == {mx.float16}
    (events,) = run(engine, Speak(text="Hello you.", options={"skip_refine_text": True}))
    assert len(sound(events)) > 0
