"""Runs a tiny FishSpeech as a GPU has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.compilation import compilation
from support.tiny_fishspeech import RATE, recording, write_model

from speechmlx.engines import LoadOptions, fishspeech
from speechmlx.types import Audio, Chunk, ReferenceVoice, Speak


def speak_in_narrow_types(folder: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    """Its transformers have 16 bits, its codec 32, and it speaks. Nothing is compiled: that takes minutes on a CPU."""
    with compilation(False):
        engine = loaded(fishspeech.load(write_model(folder), options))
        voice = ReferenceVoice(Audio(recording(30_001), RATE), "What I said.", "one")
        state, sound = engine.begin(Speak(text="Hi you.", voice=voice, options={"max_new_tokens": 5})), list[Any]()
        while not state.finished:
            sound += engine.step([state])[0]
        engine.end(state)
    assert {weight.dtype for _, weight in tree_flatten(engine.loop._model.parameters())} == {mx.bfloat16}
    assert engine.loop.memory.position_bytes == 2 * 2 * 2 * 8 * 2
    assert sum(len(event.pcm16) for event in sound if isinstance(event, Chunk)) == 2 * 2048 * state.tokens_out > 0
