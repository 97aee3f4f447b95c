"""Whisper's weights: quantized, and of other shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from support.clips import CLIPS
from support.engine_runs import run
from support.quantised_whisper import quantised_whisper
from support.whisper_runs import text

from speechmlx.engines import LoadOptions, whisper
from speechmlx.engines.whisper.model.network import GPU, Network
from speechmlx.engines.whisper.model.weights import dims
from speechmlx.types import Audio, Transcribe, Usage


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_weights_are_plain_on_a_cpu(
    model_folder: Callable[[str], Path],
    tmp_path: Path,
    loaded: Callable[..., Any],
    speech: Callable[[str], Audio],
    cpu: LoadOptions,
    bits: int,
) -> None:
    """On a GPU they stay: see test_gpu_path."""
    folder = quantised_whisper(model_folder("whisper-tiny.en"), tmp_path, bits)
    engine = loaded(whisper.load(folder, cpu))
    assert engine.nbytes > 140_000_000
    found = run(engine, Transcribe(audio=speech("librispeech")))[0]
    assert jiwer.wer(CLIPS["librispeech"].words, text(found)) <= 1 / 8


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
    found = run(engine, Transcribe(audio=speech("jfk"), language="yue", temperatures=(0.0,)))[0]
    assert isinstance(found[-1], Usage)
