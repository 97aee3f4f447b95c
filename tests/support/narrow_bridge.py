"""Tiny models of mlx-audio's in 16 bits, at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
from support import tiny_bridge
from support.engine_runs import run, sound

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.types import Speak


def write(folder: Path) -> Path:
    """A recogniser with float16 weights."""
    made = tiny_bridge.write("stt/sensevoice", folder / "weights")
    stored: Any = mx.load(str(made / "model.safetensors"))
    weights = {name: one.astype(mx.float16) for name, one in stored.items()}
    mx.eval(weights)
    (made / "model.safetensors").unlink()
    mx.save_safetensors(str(made / "model.safetensors"), weights)
    return made


def work(folder: Path, loaded: Callable[..., Any], options: LoadOptions) -> int:
    """Load it, which has it recognise a noise, and have Higgs Audio speak. Returns its bytes."""
    narrow = loaded(mlx_audio.load(folder, options))
    speaker = loaded(mlx_audio.load(tiny_bridge.write("tts/higgs_audio_v3", folder.with_name("higgs")), options))
    assert len(sound(run(speaker, Speak(text="Hello.", options={"seed": 1, "max_tokens": 30}))[0]))
    nbytes: int = narrow.nbytes
    return nbytes
