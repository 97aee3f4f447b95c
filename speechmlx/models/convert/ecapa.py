"""SpeechBrain's ECAPA-TDNN speaker encoder (PyTorch) and Silero VAD (ONNX) → one folder of weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from speechmlx.models.convert import silero, torch_file
from speechmlx.models.convert.weights import Array, Weights, write
from speechmlx.models.spec import SourceFailed

ENCODER, SPEECH = "ecapa.", "vad_16k."
"""Prefixes of the tensors of both networks."""
EPSILON = 1e-5
"""Epsilon of batch normalisation."""
NORM = ".running_var"


def convert(files: Path, folder: Path) -> None:
    """`files`/embedding_model.ckpt and `files`/silero.onnx → config.json and float32 model.safetensors."""
    try:
        encoder = encoder_weights(torch_file.read(files / "embedding_model.ckpt"))
    except (KeyError, AttributeError, ValueError) as error:
        raise SourceFailed(f"embedding_model.ckpt is not an ECAPA-TDNN of SpeechBrain: {error}") from error
    weights = {ENCODER + name: array.astype(np.float32) for name, array in encoder.items()}
    weights |= {name: array for name, array in silero.read(files / "silero.onnx").items() if name.startswith(SPEECH)}
    write(folder, {"model_type": "ecapa_diarizer"}, weights)


def encoder_weights(checkpoint: dict[str, Array]) -> Weights:
    """The network's tensors: convolutions as matrices [out, taps * in], a normalisation as scale and shift.

    The last normalisation is folded into the linear layer after it.
    """
    weights: Weights = {}
    for name, array in checkpoint.items():
        if name.endswith(NORM):
            norm = name.removesuffix(NORM)
            scale = checkpoint[f"{norm}.weight"] / np.sqrt(array + EPSILON)
            shift = checkpoint[f"{norm}.bias"] - checkpoint[f"{norm}.running_mean"] * scale
            weights |= {f"{_short(norm)}.scale": scale, f"{_short(norm)}.shift": shift}
        elif array.ndim == 3:
            weights[f"{_short(name)}"] = array.transpose(0, 2, 1).reshape(len(array), -1)
            bias = re.sub(r"weight$", "bias", name)
            weights[_short(bias)] = checkpoint[bias]
    scale, shift = weights.pop("asp_bn.scale"), weights.pop("asp_bn.shift")
    weights["fc.bias"] = weights["fc.bias"] + weights["fc.weight"] @ shift
    weights["fc.weight"] = weights["fc.weight"] * scale
    return weights


def _short(name: str) -> str:
    """The name without the module that wraps each layer: `fc.conv.weight` → `fc.weight`, `asp_bn.norm` → `asp_bn`."""
    return re.sub(r"\.(conv|norm)(\.weight|\.bias|)$", r"\2", name)
