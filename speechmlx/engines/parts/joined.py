"""Linear layers with fewer kernels: several that read the same input as one, and one with what it is added to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.lm.quantised import plain

Layer: TypeAlias = Any
"""nn.Linear or nn.QuantizedLinear."""
PARTS = ("weight", "scales", "biases", "bias")
"""What the outputs of a layer have each a row or a number of."""


def joined(layers: Sequence[Layer]) -> Layer:
    """One layer whose outputs are those of `layers`, one after the other. Nothing is computed yet.

    It is plain where they are quantised in several ways.
    """
    if not _alike(layers):
        layers = [plain(layer) if isinstance(layer, nn.QuantizedLinear) else layer for layer in layers]
    first = layers[0]
    made: Layer
    if isinstance(first, nn.QuantizedLinear):
        made = nn.QuantizedLinear(first.group_size, 1, "bias" in first, first.group_size, first.bits, first.mode)
    else:
        made = nn.Linear(1, 1, "bias" in first)
    for part in PARTS:
        if part in first:
            made[part] = mx.concatenate([layer[part] for layer in layers])
    return made


def added(x: mx.array, layer: Layer, y: mx.array) -> mx.array:
    """x + layer(y), one kernel where the weights are plain 16-bit numbers, as on a GPU."""
    if isinstance(layer, nn.QuantizedLinear) or "bias" in layer or layer.weight.dtype == mx.float32:
        return x + layer(y)
    sum: mx.array = mx.addmm(x, y, layer.weight.T)
    return sum


def _alike(layers: Sequence[Layer]) -> bool:
    return len({tuple(getattr(layer, name, None) for name in ("group_size", "bits", "mode")) for layer in layers}) == 1
