"""Tiny models that tell speakers apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.tiny_bridge.files import save

from speechmlx.engines.mlx_audio import package


def sortformer(folder: Path) -> None:
    module = package.family("vad", "sortformer")
    config: dict[str, Any] = {
        "model_type": "sortformer",
        "fc_encoder_config": {
            "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
            "intermediate_size": 64, "num_mel_bins": 16, "subsampling_conv_channels": 16,
            "max_position_embeddings": 1024, "conv_kernel_size": 3,
        },
        "tf_encoder_config": {
            "d_model": 24, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 48,
            "max_source_positions": 1024, "num_mel_bins": 16,
        },
        "modules_config": {"fc_d_model": 32, "tf_d_model": 24, "num_speakers": 4, "use_aosc": True},
        "processor_config": {"feature_size": 16, "hop_length": 160, "n_fft": 512, "win_length": 400},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))


def nemotron_diarization(folder: Path) -> None:
    module = package.family("vad", "nemotron_diarization")
    config: dict[str, Any] = {
        "model_type": "nemotron_diarization",
        "num_speakers": 2,
        "encoder_config": {"feat_in": 8, "d_model": 32, "n_layers": 2, "n_heads": 2},
        "modules_config": {
            "num_speakers": 2, "fc_d_model": 32, "tf_d_model": 16, "chunk_len": 3, "fifo_len": 3,
            "spkcache_len": 8, "spkcache_update_period": 3, "chunk_right_context": 1,
        },
        "processor_config": {"feature_size": 8},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))
