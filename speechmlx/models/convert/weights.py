"""Writes the folder of a model (config.json and model.safetensors) and reads tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speechmlx.models.spec import SourceFailed

Array = NDArray[Any]
Weights = dict[str, Array]


def write(folder: Path, config: Mapping[str, Any], weights: Weights) -> None:
    """Write `config` to config.json and `weights` to model.safetensors in `folder`."""
    write_json(folder / "config.json", config)
    save_tensors(folder / "model.safetensors", weights)


def save_tensors(path: Path, weights: Weights) -> None:
    """Write `weights` to a safetensors file, with MLX's format mark."""
    save_file({name: np.ascontiguousarray(w) for name, w in weights.items()}, path, metadata={"format": "mlx"})


def load_tensors(path: Path) -> Weights:
    """Read all tensors of a safetensors file. Raises SourceFailed if it is unreadable."""
    try:
        return load_file(path)
    except (SafetensorError, KeyError, OSError) as error:
        raise SourceFailed(f"{path.name} cannot be read: {error}") from error


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
