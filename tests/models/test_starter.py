"""The starter models, fetched for real from the configured package index."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open

from speechmlx.models.store import MANIFEST


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "tensors", "config"),
    [
        ("whisper-tiny.en", 166, {"n_vocab": 51864, "n_audio_layer": 4}),
        ("whisper-base", 244, {"n_vocab": 51865, "n_audio_layer": 6}),
        ("kokoro-82m", 548, {"n_token": 178, "style_dim": 128}),
        ("deepfilternet3", 118, {"sample_rate": 48000, "nb_erb": 32}),
        ("silero-vad", 28, {"model_type": "silero_vad"}),
        ("ecapa-diarizer", 150, {"model_type": "ecapa_diarizer"}),
        ("smart-turn-v3", 79, {"model_type": "smart_turn"}),
        ("smollm2-135m-instruct", 272, {"vocab_size": 49152, "num_hidden_layers": 30}),
    ],
)
def test_starter(model_folder: Callable[[str], Path], name: str, tensors: int, config: dict[str, object]) -> None:
    folder = model_folder(name)
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert {key: found[key] for key in config} == config
    assert json.loads((folder / MANIFEST).read_text())["source"].startswith("package index")
    with safe_open(folder / "model.safetensors", framework="numpy") as weights:
        assert len(list(weights.keys())) == tensors


def test_kokoro_has_its_voices_and_vocabulary(model_folder: Callable[[str], Path]) -> None:
    folder = model_folder("kokoro-82m")
    voices = sorted(folder.glob("voices/*.safetensors"))
    assert len(voices) == 54
    for path in voices:
        with safe_open(path, framework="numpy") as voice:
            assert voice.get_slice("voice").get_shape() == [510, 1, 256]
    assert len(json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab"]) == 114


def test_smollm2_has_its_tokenizer(model_folder: Callable[[str], Path]) -> None:
    from tokenizers import Tokenizer

    folder = model_folder("smollm2-135m-instruct")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "<|im_start|>user\nDon't count 1234, naïve café!<|im_end|>"
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
    assert "chat_template" in json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
