"""DeepFilterNet3 from the MLX repository of the hub. GRU biases are folded as in deepfilternet.py."""

from __future__ import annotations

import re
from pathlib import Path

from speechmlx.models.convert.deepfilternet import folded_biases
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import load_tensors, save_tensors


def convert(files: Path, folder: Path) -> None:
    """`files`/v3/{config.json, model.safetensors} → the same in `folder`."""
    link(files / "v3" / "config.json", folder / "config.json")
    weights = load_tensors(files / "v3" / "model.safetensors")
    for name in list(weights):
        if match := re.fullmatch(r"(.+)\.bias_hh_l(\d+)", name):
            module, layer = match[1], int(match[2])
            weights |= folded_biases(module, layer, weights[f"{module}.bias_ih_l{layer}"], weights[name])
    save_tensors(folder / "model.safetensors", weights)
