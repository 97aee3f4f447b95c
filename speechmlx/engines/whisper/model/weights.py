"""Load a folder in mlx-whisper's layout into a `Network`. Quantized weights stay quantized on a GPU only."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines import LoadOptions
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.engines.whisper.model.network import GPU, Dims, Network, cpu_kernels
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Progress

UNUSED = ("encoder.positional_embedding", "alignment_heads")
"""Weights in some folders that are not loaded: the network computes the first; heads come from `alignment_heads`."""

Weights = dict[str, mx.array]


def dims(config: Mapping[str, Any]) -> Dims:
    """The sizes in config.json. Raises ModelUnavailable, which names the missing ones."""
    missing = [field.name for field in fields(Dims) if field.name not in config]
    if missing:
        raise ModelUnavailable(f"config.json is not a Whisper's: it lacks {', '.join(missing)}")
    return Dims(**{field.name: int(config[field.name]) for field in fields(Dims)})


def load_network(folder: Path, options: LoadOptions) -> Generator[Progress, None, Network]:
    """Load the network with its weights. Raises ModelUnavailable when the weights do not fit config.json."""
    config = read_config(folder)
    weights = {name: array for name, array in read_weights(folder).items() if name not in UNUSED}
    network = Network(dims(config), cpu_kernels() if options.device == "cpu" else GPU)
    quantization = config.get("quantization")
    if quantization and options.device == "cpu":
        weights = _dequantized(weights, quantization)
    elif quantization:
        scaled = {name.removesuffix(".scales") for name in weights if name.endswith(".scales")}
        nn.quantize(
            network,
            quantization["group_size"],
            quantization["bits"],
            class_predicate=lambda path, module: path in scaled,
        )
    settled = yield from settle(weights, getattr(mx, options.dtype))
    try:
        network.load_weights(list(settled.items()))
    except ValueError as error:
        raise ModelUnavailable(f"the weights in {folder.name!r} do not fit its config.json: {error}") from error
    return network


def _dequantized(weights: Weights, quantization: Mapping[str, int]) -> Weights:
    dequantized: Weights = {}
    for name, array in weights.items():
        base, _, last = name.rpartition(".")
        scales = weights.get(f"{base}.scales")
        if scales is None or last == "bias":
            dequantized[name] = array
        elif last == "weight":
            biases = weights[f"{base}.biases"]
            dequantized[name] = mx.dequantize(array, scales, biases, quantization["group_size"], quantization["bits"])
    return dequantized
