"""Folders of Qwen3-TTS models: what is in them, whole, quantised and damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from support import tiny_talker
from support.engine_runs import run, sound
from support.talking import speak
from support.tiny_qwen3_tts_sizes import recording

from speechmlx.engines import LoadOptions
from speechmlx.engines.qwen3_tts import load
from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.errors import ModelUnavailable, WeightsDamaged
from speechmlx.types import Audio, ReferenceVoice


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_quantised_weights(make: Callable[..., Qwen3Tts], cpu: LoadOptions, bits: int) -> None:
    """A CPU computes with plain weights of the same values, a GPU with the quantised ones."""
    plain = make("custom_voice", cpu, bits=bits)
    assert not any(isinstance(layer, nn.QuantizedLinear) for _, layer in plain._talker.named_modules())
    assert np.abs(sound(run(plain, speak(options={"max_tokens": 4}))[0])).max() > 0


def test_a_load_holds_no_weights_twice(tmp_path: Path) -> None:
    """Products that are joined leave their parts, slice by slice."""
    folder = tiny_talker.write(
        tmp_path / "weights", "custom_voice", said=tiny_talker.config("custom_voice", "1b7", 512)
    )
    mx.clear_cache()
    before, held = mx.get_active_memory(), list[int]()
    steps = load(folder, LoadOptions(device="gpu", dtype="bfloat16", warm_up=False))
    try:
        while True:
            next(steps)
            held.append(mx.get_active_memory() - before)
    except StopIteration as ended:
        engine = ended.value
    assert engine.nbytes > 8_000_000 and max(held) <= 1.03 * engine.nbytes


def test_narrow_weights_stay_narrow_on_a_gpu(make: Callable[..., Qwen3Tts]) -> None:
    engine = make("base", LoadOptions(device="gpu", dtype="bfloat16", warm_up=False), dtype=mx.bfloat16)
    voice = ReferenceVoice(Audio(recording(), 24000), "What I said.", "one")
    (events,) = run(engine, speak(voice=voice, options={"max_tokens": 3}))
    assert {array.dtype for _, array in tree_flatten(engine._talker.parameters())} == {mx.bfloat16}
    assert engine.loop.memory.position_bytes == 2 * 2 * 16 * 2
    assert len(sound(events)) == 3 * 1920


@pytest.mark.parametrize("kind", ["custom_voice", "base", "voice_design"])
def test_it_warms_up(make: Callable[..., Qwen3Tts], options: LoadOptions, kind: str) -> None:
    engine = make(kind, options)
    assert engine.held == 0
    assert engine.loop.reads > 2


def edit(folder: Path, change: Callable[[dict[str, mx.array]], None]) -> Path:
    weights = dict(mx.load(str(folder / "model.safetensors")))  # type: ignore[arg-type]
    change(weights)
    mx.eval(weights)
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    return folder


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda weights: weights.pop("talker.codec_head.weight"),
            "1 weights of the model are missing: codec_head.weight",
        ),
        (lambda weights: weights.update(other=mx.zeros(3)), "1 weights belong to no part of a Qwen3-TTS: other"),
        (lambda weights: weights.update({"talker.more": mx.zeros(3)}), "1 weights have no place in the model: more"),
        (lambda weights: weights.update({"talker.model.norm.weight": mx.zeros(3)}), "another shape than the model"),
    ],
)
def test_damaged_weights(tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, change: Any, says: str) -> None:
    folder = edit(tiny_talker.write(tmp_path / "weights", "custom_voice"), change)
    with pytest.raises(WeightsDamaged, match=says):
        loaded(load(folder, cold))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{}", "is of no Qwen3-TTS .KeyError: 'talker_config'"),
        ('{"talker_config": {}, "tts_model_type": "x"}', "tts_model_type is 'x'; known are custom_voice, base"),
        ('{"talker_config": {"hidden_act": "gelu"}}', "hidden_act is 'gelu'; known is silu"),
    ],
)
def test_a_config_of_something_else(
    tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, config: str, says: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelUnavailable, match=says):
        loaded(load(tmp_path, cold))
