"""The weights of recognisers as their authors' code names them, for tests/engines/mlx_audio/test_published_sizes.py.

python scripts/parity/bridge_names.py qwen QWEN_ASR/core/transformers_backend tests/engines/data/bridge_names.json.gz
python scripts/parity/bridge_names.py nemotron - tests/engines/data/bridge_names.json.gz
The first needs torch, transformers 4.57 and the folder of the package qwen-asr, the second torch and transformers 5.23.
The networks are made on torch's meta device, at the sizes of the published configurations. Names whose numbers alone
differ are stored once: "layers.#.norm" with its shape, and the numbers.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import types
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
HEARD = {
    "num_mel_bins": 128, "encoder_layers": 24, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "d_model": 1024,
    "n_window": 50, "n_window_infer": 800, "conv_chunksize": 500, "downsample_hidden_size": 480,
}  # fmt: skip
WRITTEN = {
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28,
    "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
}  # fmt: skip
QWEN: Mapping[str, Mapping[str, Any]] = {
    "qwen3-asr-1.7b-8bit": {
        "audio_config": {**HEARD, "output_dim": 2048},
        "text_config": {**WRITTEN, "hidden_size": 2048, "intermediate_size": 6144, "vocab_size": 151936},
    },
    "qwen3-forced-aligner-0.6b": {
        "model_type": "qwen3_forced_aligner", "classify_num": 5000,
        "audio_config": {**HEARD, "output_dim": 1024},
        "text_config": {**WRITTEN, "hidden_size": 1024, "intermediate_size": 3072, "vocab_size": 152064},
    },
}  # fmt: skip


def short(shapes: Mapping[str, list[int]]) -> list[list[Any]]:
    """[name with # for its numbers, numbers of each, shape] of weights that are alike."""
    alike: dict[tuple[str, tuple[int, ...]], list[list[int]]] = {}
    for name, shape in shapes.items():
        key = NUMBER.sub("#", name), tuple(shape)
        alike.setdefault(key, []).append([int(number) for number in NUMBER.findall(name)])
    return [[name, numbers, list(shape)] for (name, shape), numbers in alike.items()]


def shapes(model: Any) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def qwen(folder: Path) -> dict[str, dict[str, list[int]]]:
    package = types.ModuleType("backend")
    package.__path__ = [str(folder)]
    sys.modules["backend"] = package
    settings, networks = (import_module(f"backend.{name}_qwen3_asr") for name in ("configuration", "modeling"))
    found = {}
    for row, thinker in QWEN.items():
        with torch.device("meta"):
            model = networks.Qwen3ASRForConditionalGeneration(settings.Qwen3ASRConfig(thinker_config=dict(thinker)))
        found[row] = shapes(model)
    return found


def nemotron(folder: Path) -> dict[str, dict[str, list[int]]]:
    from transformers import NemotronAsrStreamingConfig, NemotronAsrStreamingForRNNT

    with torch.device("meta"):
        model = NemotronAsrStreamingForRNNT(NemotronAsrStreamingConfig())
    return {"nemotron-speech-streaming-en-0.6b": shapes(model)}


def main(which: str, folder: str, target: str) -> None:
    made = {"qwen": qwen, "nemotron": nemotron}[which](Path(folder))
    path = Path(target)
    known = json.loads(gzip.decompress(path.read_bytes())) if path.exists() else {}
    known |= {name: short(found) for name, found in made.items()}
    for name, found in made.items():
        print(name, len(found), "weights", sum(torch.Size(shape).numel() for shape in found.values()), "numbers")
    path.write_bytes(gzip.compress(json.dumps(known).encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
