"""The sizes of a tiny Qwen3-TTS codec and speaker encoder, and a recording for them; also for scripts without MLX."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 24_000
CODEC: dict[str, Any] = {
    "model_type": "qwen3_tts_tokenizer_12hz",
    "encoder_valid_num_quantizers": 16,
    "decoder_config": {
        "latent_dim": 24,
        "codebook_dim": 32,
        "codebook_size": 64,
        "decoder_dim": 32,
        "hidden_size": 32,
        "intermediate_size": 48,
        "head_dim": 16,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "num_quantizers": 16,
        "sliding_window": 8,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
    },
    "encoder_config": {
        "codebook_dim": 16,
        "codebook_size": 64,
        "frame_rate": 12.5,
        "head_dim": 16,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_attention_heads": 2,
        "num_filters": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "num_quantizers": 32,
        "sliding_window": 10,
        "upsample_groups": 32,
        "upsampling_ratios": [8, 6, 5, 4],
        "vector_quantization_hidden_dimension": 16,
    },
}
SPEAKER: dict[str, Any] = {
    "mel_dim": 128,
    "enc_dim": 20,
    "enc_channels": [16, 16, 16, 16, 48],
    "enc_kernel_sizes": [5, 3, 3, 3, 1],
    "enc_dilations": [1, 2, 3, 4, 1],
    "enc_attention_channels": 12,
    "enc_res2net_scale": 4,
    "enc_se_channels": 10,
}


def recording(seconds: float = 1.63) -> NDArray[np.float32]:
    """Gliding tones in noise; its length is no whole number of frames."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.RandomState(2).standard_normal(len(time)) / 50
    tones = sum(np.sin(2 * np.pi * pitch * time * (1 + time / 3)) / 8 for pitch in (150, 420, 1130, 3200))
    return np.asarray(tones * (0.6 + 0.4 * np.sin(9 * time)) + noise, np.float32)
