"""Tiny models that tell languages apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.tiny_bridge.files import save

from speechmlx.engines.mlx_audio import package


def ecapa_tdnn(folder: Path) -> None:
    """Its blocks have their published names."""
    module = package.family("lid", "ecapa_tdnn")
    config: dict[str, Any] = {
        "n_mels": 60, "channels": 16, "attention_channels": 8, "res2net_scale": 4, "se_channels": 8,
        "embedding_dim": 16, "classifier_hidden_dim": 16,
        "id2label": {"0": "de: German", "1": "en: English", "2": "fr: French"},
    }  # fmt: skip
    model = module.Model(module.ModelConfig(**json.loads(json.dumps(config))))
    save(folder, config, model)
    stored = {
        re.sub(r"embedding_model\.block(\d)\.", r"embedding_model.blocks.\1.", name): array
        for name, array in tree_flatten(model.parameters())
        if not name.startswith("embedding_model.blocks.")  # another name of what has one
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)


def wav2vec2(folder: Path) -> None:
    module = package.family("lid", "wav2vec2")
    config: dict[str, Any] = {
        "model_type": "wav2vec2", "architectures": ["Wav2Vec2ForSequenceClassification"], "vocab_size": 32,
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "conv_dim": [16] * 7, "feat_extract_norm": "layer", "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2, "do_stable_layer_norm": True, "conv_bias": True,
        "classifier_proj_size": 8, "id2label": {"0": "deu", "1": "eng", "2": "fra"},
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model, 2)
    swapped = (".conv.weight", ".conv.weight_v", ".conv.weight_g")
    stored = {  # published in another order of axes
        name: 2 * (array.swapaxes(1, 2) if name.endswith(swapped) else array)
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
