"""OpenAI's own Whisper checkpoint (.pt) → the layout of mlx-whisper."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmlx.models.convert import torch_file
from speechmlx.models.convert.weights import Weights, write


def convert(files: Path, folder: Path) -> None:
    """`files`/whisper.pt → config.json and float16 model.safetensors."""
    checkpoint = torch_file.read(files / "whisper.pt")
    weights: Weights = {}
    for name, tensor in checkpoint["model_state_dict"].items():
        if name == "encoder.positional_embedding":  # sinusoids, computed by the network
            continue
        is_convolution = name.startswith("encoder.conv") and tensor.ndim == 3
        tensor = tensor.swapaxes(1, 2) if is_convolution else tensor  # [out, in, width] → [out, width, in]
        weights[name.replace("mlp.0", "mlp1").replace("mlp.2", "mlp2")] = tensor.astype(np.float16)
    write(folder, {"model_type": "whisper", **checkpoint["dims"]}, weights)
