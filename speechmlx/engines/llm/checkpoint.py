"""An mlx-lm checkpoint folder → its network, with weights that are not evaluated yet.

A plain checkpoint imports only the module of its network. Checkpoints that need mlx-lm's special cases import all of
mlx-lm, which takes more than a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.lm import quantised
from speechmlx.engines.lm.library import load_module
from speechmlx.engines.weights import read_weights
from speechmlx.errors import ModelUnavailable

SPECIAL = ("model_file", "quantize_activations")
"""Keys of config.json that only mlx-lm's own loader understands."""


def read_model(folder: Path, config: Mapping[str, Any], dequantise: bool) -> nn.Module:
    """The network in `folder` with its weights, not evaluated. `dequantise` replaces quantised layers by plain ones.

    Raises ModelUnavailable if mlx-lm does not know the type of model, or if the weights do not fit the network.
    """
    try:
        model = _plain_model(folder, config) or _special_model(folder)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        kind = config.get("model_type")
        raise ModelUnavailable(f"mlx-lm cannot load {folder.name!r}, a model of type {kind!r}: {error}") from error
    if dequantise:
        quantised.dequantise(model)
    return model


def _plain_model(folder: Path, config: Mapping[str, Any]) -> nn.Module | None:
    """None if the checkpoint needs one of mlx-lm's special cases, such as a quantisation that is not MLX's."""
    foreign = "quantization_config" in config and "quantization" not in config
    special = any(config.get(key) for key in SPECIAL) or (folder / "hf_quant_config.json").exists()
    architecture = None if foreign or special else _architecture(str(config.get("model_type")))
    if architecture is None:
        return None
    model: nn.Module = architecture.Model(architecture.ModelArgs.from_dict(dict(config)))
    weights = read_weights(folder)
    if hasattr(model, "sanitize"):
        weights = model.sanitize(weights)
    if any(name.endswith(".scales") and array.dtype == mx.uint8 for name, array in weights.items()):
        return None
    quantised.quantise(model, weights)
    model.load_weights(list(weights.items()))
    model.eval()
    return model


def _special_model(folder: Path) -> nn.Module:
    from mlx_lm.utils import load_model

    model: nn.Module = load_model(folder, lazy=True)[0]
    return model


def _architecture(kind: str) -> ModuleType | None:
    """mlx-lm's module of the network; None if there is none."""
    try:
        module = load_module(f"models.{kind}")
    except ModuleNotFoundError:
        return None
    return module if hasattr(module, "ModelArgs") else None
