"""Quantised layers of a checkpoint: made from the shapes of its weights, and made plain for a CPU."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten


def quantise(model: nn.Module, weights: Mapping[str, mx.array]) -> None:
    """Quantise the layers whose scales are among `weights`; the shapes tell each layer's group size and bits."""
    paths = {name.removesuffix(".scales") for name in weights if name.endswith(".scales")}

    def form(path: str, module: nn.Module) -> bool | dict[str, int]:
        if path not in paths:
            return False
        inputs = module.weight.shape[-1]
        bits = weights[f"{path}.weight"].shape[-1] * 32 // inputs
        return {"group_size": inputs // weights[f"{path}.scales"].shape[-1], "bits": bits}

    if paths:
        nn.quantize(model, class_predicate=form)


def dequantise(model: nn.Module) -> None:
    """Put plain layers in the place of quantised ones; nothing is computed yet."""
    layers = [
        (path, plain(layer))
        for path, layer in tree_flatten(model.leaf_modules(), is_leaf=nn.Module.is_module)
        if isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding)
    ]
    model.update_modules(tree_unflatten(layers))


def plain(layer: nn.Module) -> nn.Module:
    """A quantised layer as one without; nothing is computed yet."""
    weight = mx.dequantize(layer.weight, layer.scales, layer.get("biases"), layer.group_size, layer.bits, layer.mode)
    if isinstance(layer, nn.QuantizedEmbedding):
        embedding = nn.Embedding(1, 1)
        embedding.weight = weight
        return embedding
    linear = nn.Linear(1, 1, bias="bias" in layer)
    linear.weight = weight
    if "bias" in layer:
        linear.bias = layer.bias
    return linear
