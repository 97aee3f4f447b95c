"""Whisper's weights: on a GPU's operations, quantized, and of other shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten
from support.clips import CLIPS
from support.whisper_runs import run, text

from speechmlx.engines import LoadOptions, whisper
from speechmlx.engines.whisper.model.network import GPU, Network
from speechmlx.engines.whisper.model.weights import dims
from speechmlx.types import Audio, Transcribe, Usage


@pytest.fixture
def engine_folder(model_folder: Callable[[str], Path], tmp_path: Path) -> Callable[[int], Path]:
    """tiny.en quantized as mlx-whisper's converter does it."""

    def quantized(bits: int) -> Path:
        folder = model_folder("whisper-tiny.en")
        config = json.loads((folder / "config.json").read_text())
        network = Network(dims(config), GPU)
        weights = mx.load(str(folder / "model.safetensors"))
        network.load_weights(list(weights.items()))
        nn.quantize(network, 64, bits)
        mx.save_safetensors(str(tmp_path / "model.safetensors"), dict(tree_flatten(network.parameters())))
        (tmp_path / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 64, "bits": bits}}))
        return tmp_path

    return quantized


def test_the_gpu_s_operations_and_half_precision_give_the_same_words(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], speech: Callable[[str], Audio]
) -> None:
    """What runs on a GPU, run here: fused attention, float16, windows encoded together."""
    options = LoadOptions(dtype="float16", device="gpu", warm_up=False)
    engine = loaded(whisper.load(model_folder("whisper-tiny.en"), options))
    assert engine.nbytes < 80_000_000
    audio = speech("librispeech")
    requests = [Transcribe(audio=audio, words=True, prompt=prompt) for prompt in (None, "A story.")]
    for found in run(engine, requests):
        assert jiwer.wer(CLIPS["librispeech"].words, text(found)) <= 1 / 8


@pytest.mark.parametrize(("bits", "most_bytes"), [(4, 35_000_000), (8, 60_000_000)])
def test_quantized_weights(
    engine_folder: Callable[[int], Path],
    loaded: Callable[..., Any],
    speech: Callable[[str], Audio],
    bits: int,
    most_bytes: int,
) -> None:
    folder = engine_folder(bits)
    for device in ("cpu", "gpu"):
        options = LoadOptions(dtype="float32", device=device, warm_up=False)  # type: ignore[arg-type]
        engine = loaded(whisper.load(folder, options))
        found = run(engine, [Transcribe(audio=speech("librispeech"))])[0]
        assert jiwer.wer(CLIPS["librispeech"].words, text(found)) <= 1 / 8
        assert (engine.nbytes < most_bytes) is (device == "gpu")


def test_a_model_of_128_mels(
    tmp_path: Path, loaded: Callable[..., Any], speech: Callable[[str], Audio], cold: LoadOptions
) -> None:
    """The shapes of large-v3, small and at random: it runs to its end, in any of its hundred languages."""
    small = {"state": 64, "head": 2, "layer": 2}
    sizes = {f"n_{side}_{name}": value for side in ("audio", "text") for name, value in small.items()}
    config = {"n_mels": 128, "n_audio_ctx": 1500, "n_vocab": 51866, "n_text_ctx": 448, **sizes}
    mx.random.seed(3)
    network = Network(dims(config), GPU)
    mx.save_safetensors(str(tmp_path / "model.safetensors"), dict(tree_flatten(network.parameters())))
    (tmp_path / "config.json").write_text(json.dumps(config))
    engine = loaded(whisper.load(tmp_path, cold))
    assert "yue" in engine.vocabulary.languages
    found = run(engine, [Transcribe(audio=speech("jfk"), language="yue", temperatures=(0.0,))])[0]
    assert isinstance(found[-1], Usage)
