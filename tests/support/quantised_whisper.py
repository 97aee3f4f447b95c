"""A Whisper with quantised weights, as mlx-whisper's converter writes it."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from speechmlx.engines.whisper.model.network import GPU, Network
from speechmlx.engines.whisper.model.weights import dims


def quantised_whisper(source: Path, folder: Path, bits: int) -> Path:
    """Write the model in `source` to `folder` with weights of `bits`, in groups of 64."""
    config = json.loads((source / "config.json").read_text())
    network = Network(dims(config), GPU)
    network.load_weights(str(source / "model.safetensors"))
    nn.quantize(network, 64, bits)
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(network.parameters())))
    (folder / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 64, "bits": bits}}))
    return folder
