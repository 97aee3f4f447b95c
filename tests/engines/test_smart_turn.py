"""Smart Turn: the probabilities of the ONNX export, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile

from speechmlx.engines import LoadOptions, Running, smart_turn
from speechmlx.engines.weights import read_weights
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import Audio, DetectTurn, Enhance, Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

REFERENCE = json.loads((Path(__file__).parent / "data" / "smart_turn.json").read_text())


@pytest.fixture(scope="module")
def engine(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions
) -> smart_turn.SmartTurn:
    return loaded(smart_turn.load(model_folder("smart-turn-v3"), options))


@pytest.fixture(scope="module")
def speech(clip: Callable[[str], Path]) -> Samples:
    samples, rate = soundfile.read(clip("beckett"), dtype="float32")
    assert rate == smart_turn.RATE
    return samples


def detect(engine: smart_turn.SmartTurn, samples: Samples) -> Probability:
    (found,) = [
        event
        for event in engine.run(DetectTurn(audio=Audio(samples, smart_turn.RATE)))
        if isinstance(event, Probability)
    ]
    return found


@pytest.mark.parametrize("seconds", REFERENCE)
def test_the_numbers_are_those_of_the_onnx_export(engine: smart_turn.SmartTurn, speech: Samples, seconds: str) -> None:
    unquantised, _as_shipped = REFERENCE[seconds]
    assert abs(detect(engine, speech[: int(float(seconds) * smart_turn.RATE)]).value - unquantised) < 1e-4


def test_a_turn_is_over_after_a_sentence_and_not_within(engine: smart_turn.SmartTurn, speech: Samples) -> None:
    assert detect(engine, speech[: int(2.2 * smart_turn.RATE)]).value < 0.05
    assert detect(engine, speech).value > 0.9


def test_it_speaks_of_the_last_eight_seconds(engine: smart_turn.SmartTurn, speech: Samples) -> None:
    found = detect(engine, speech)
    assert found.end == len(speech) / smart_turn.RATE and found.start == found.end - 8
    assert found.value == detect(engine, speech[-8 * smart_turn.RATE :]).value
    assert detect(engine, speech[:100]).start == 0


def test_both_backends_attention_and_gelu_agree(
    engine: smart_turn.SmartTurn, model_folder: Callable[[str], Path], speech: Samples
) -> None:
    weights = {smart_turn._name(name): array for name, array in read_weights(model_folder("smart-turn-v3")).items()}
    plain = smart_turn.Network(weights, on_cpu=False)
    assert abs(plain(smart_turn.log_mel(speech)).item() - detect(engine, speech).value) < 1e-5


def test_silence_gives_a_number(engine: smart_turn.SmartTurn) -> None:
    assert 0 <= detect(engine, np.zeros(16_000, np.float32)).value <= 1


def test_weights_in_mlx_audios_names_and_layout_are_the_same_model(
    engine: smart_turn.SmartTurn,
    model_folder: Callable[[str], Path],
    tmp_path: Path,
    speech: Samples,
    loaded: Callable[..., Any],
    options: LoadOptions,
) -> None:
    renamed: dict[str, Any] = {}
    for name, array in read_weights(model_folder("smart-turn-v3")).items():
        name = name.removeprefix("inner.")
        name = name.replace("pool_attention.", "pool_attention_").replace("classifier.", "classifier_")
        if name.startswith("encoder.conv") and array.ndim == 3:
            array = mx.contiguous(array.swapaxes(1, 2)) if array.shape[2] == 3 else array
        renamed[name] = array
    mx.save_safetensors(str(tmp_path / "model.safetensors"), renamed)
    other = loaded(smart_turn.load(tmp_path, options))
    assert detect(other, speech).value == detect(engine, speech).value


def test_it_is_a_running_engine_and_says_what_it_holds(engine: smart_turn.SmartTurn) -> None:
    assert isinstance(engine, Running)
    assert 30e6 < engine.nbytes < 34e6


def test_what_it_cannot_do_is_refused(
    engine: smart_turn.SmartTurn, tmp_path: Path, loaded: Callable[..., Any], options: LoadOptions
) -> None:
    with pytest.raises(Unsupported, match="end of a turn"):
        engine.run(Enhance())
    with pytest.raises(BadRequest, match="16000 Hz, not 48000"):
        engine.run(DetectTurn(audio=Audio(np.zeros(10, np.float32), 48_000)))
    with pytest.raises(BadRequest, match="empty"):
        engine.run(DetectTurn(audio=Audio(np.zeros(0, np.float32), 16_000)))
    mx.save_safetensors(str(tmp_path / "model.safetensors"), {"other": mx.zeros(1)})
    with pytest.raises(ModelUnavailable, match="no Smart Turn"):
        loaded(smart_turn.load(tmp_path, options))
