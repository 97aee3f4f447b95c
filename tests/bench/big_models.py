"""Folders of models that are too large for here, with the shapes of the real ones and zeros for weights.

The files are sparse: they take no place on the disk.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

TOKENIZER = "smollm2-135m-instruct"
"""Whose tokenizer and chat template the language models get."""
CONFIGS: dict[str, dict[str, Any]] = {
    "whisper-large-v3-turbo": {
        "n_mels": 128,
        "n_audio_ctx": 1500,
        "n_audio_state": 1280,
        "n_audio_head": 20,
        "n_audio_layer": 32,
        "n_vocab": 51866,
        "n_text_ctx": 448,
        "n_text_state": 1280,
        "n_text_head": 20,
        "n_text_layer": 4,
    },
    "qwen3-4b-instruct": {
        "model_type": "qwen3",
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "intermediate_size": 9728,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "rms_norm_eps": 1e-6,
        "vocab_size": 151936,
        "max_position_embeddings": 262144,
        "rope_theta": 5000000,
        "tie_word_embeddings": True,
        "quantization": {"group_size": 64, "bits": 4},
    },
}
"""config.json as these models were published with it."""
BYTES = {"whisper-large-v3-turbo": 6_000_000_000, "qwen3-4b-instruct": 8_000_000_000}
"""Memory to run them here."""
NAMES = {mx.float16: "F16", mx.float32: "F32", mx.uint32: "U32"}


def write(name: str, folder: Path, tokenizer: Path) -> Path:
    """Write the model to `folder`; `tokenizer` is the folder of TOKENIZER."""
    config = CONFIGS[name]
    (folder / "config.json").write_text(json.dumps(config))
    if "model_type" in config:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tokenizer / file, folder / file)
        model = _language_model(config)
    else:
        model = _whisper(config)
    model.set_dtype(mx.float16)
    zeros({key: (array.shape, array.dtype) for key, array in tree_flatten(model.parameters())}, folder)
    return folder


def zeros(shapes: dict[str, tuple[tuple[int, ...], mx.Dtype]], folder: Path) -> None:
    """Write model.safetensors with tensors of these shapes and types, all zeros."""
    header, end = dict[str, Any](), 0
    for key, (shape, dtype) in shapes.items():
        start = end
        end += dtype.size * math.prod(shape)
        header[key] = {"dtype": NAMES[dtype], "shape": shape, "data_offsets": [start, end]}
    packed = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(packed).to_bytes(8, "little") + packed)
        file.truncate(8 + len(packed) + end)


def _whisper(config: dict[str, Any]) -> nn.Module:
    from speechmlx.engines.whisper.model.network import GPU, Dims, Network

    return Network(Dims(**config), GPU)


def _language_model(config: dict[str, Any]) -> nn.Module:
    from mlx_lm.models import qwen3

    model = qwen3.Model(qwen3.ModelArgs.from_dict(config))
    nn.quantize(model, **config["quantization"])
    return model
