"""An mlx-lm checkpoint folder → its network, lazily, without importing what a plain checkpoint does not need.

`import mlx_lm` brings in transformers: more than a second on the thread that serves live sessions, for tokenizers and
conversions. The networks themselves need none of it, so their modules are imported past the package's own
initialisation; checkpoints that need mlx-lm's special cases get all of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from speechmlx.engines.weights import read_weights
from speechmlx.errors import ModelUnavailable

PACKAGE = "mlx_lm"
SPECIAL = ("model_file", "quantize_activations")
"""Keys of config.json that only mlx-lm's own loader understands; so it is with quantising not done by MLX."""


def read_model(folder: Path, config: Mapping[str, Any], dequantise: bool) -> nn.Module:
    """The network in `folder` with its weights, none evaluated yet; quantised layers made plain if `dequantise`.

    Raises ModelUnavailable when mlx-lm does not know the model or its weights do not fit it.
    """
    try:
        model = _plain_model(folder, config) or _special_model(folder)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        kind = config.get("model_type")
        raise ModelUnavailable(f"mlx-lm cannot load {folder.name!r}, a model of type {kind!r}: {error}") from error
    if dequantise:
        _dequantise(model)
    return model


def new_cache(model: nn.Module) -> list[Any]:
    """Each layer's cache of one sequence, empty."""
    cache: list[Any] = _module("models.cache").make_prompt_cache(model)
    return cache


def beginning(cache: Sequence[Any], count: int) -> list[Any] | None:
    """A cache of one sequence's first `count` tokens, apart from `cache`; None of layers that cannot go back."""
    kind = _module("models.cache").KVCache
    if not all(type(layer) is kind and layer.keys is not None and layer.offset >= count for layer in cache):
        return None
    found = [kind() for _ in cache]
    for mine, layer in zip(found, cache, strict=True):
        # A copy: layers write into their arrays.
        mine.keys, mine.values = (mx.contiguous(array[..., :count, :]) for array in (layer.keys, layer.values))
        mine.offset = count
    return found


def _plain_model(folder: Path, config: Mapping[str, Any]) -> nn.Module | None:
    """None when the checkpoint needs one of mlx-lm's special cases."""
    foreign = "quantization_config" in config and "quantization" not in config
    special = any(config.get(key) for key in SPECIAL) or (folder / "hf_quant_config.json").exists()
    architecture = None if foreign or special else _architecture(str(config.get("model_type")))
    if architecture is None:
        return None
    model: nn.Module = architecture.Model(architecture.ModelArgs.from_dict(dict(config)))
    weights = read_weights(folder)
    if hasattr(model, "sanitize"):
        weights = model.sanitize(weights)
    scales = {name.removesuffix(".scales") for name in weights if name.endswith(".scales")}
    if any(weights[f"{path}.scales"].dtype == mx.uint8 for path in scales):
        return None
    _quantise(model, weights, scales)
    model.load_weights(list(weights.items()))
    model.eval()
    return model


def _special_model(folder: Path) -> nn.Module:
    from mlx_lm.utils import load_model

    model: nn.Module = load_model(folder, lazy=True)[0]
    return model


def _architecture(kind: str) -> ModuleType | None:
    try:
        module = _module(f"models.{kind}")
    except ModuleNotFoundError:
        return None
    return module if hasattr(module, "ModelArgs") else None


def _module(name: str) -> ModuleType:
    with _uninitialised(PACKAGE):
        return importlib.import_module(f"{PACKAGE}.{name}")


@contextmanager
def _uninitialised(name: str) -> Iterator[None]:
    """Let modules of package `name` be imported while its __init__ is not run, nor taken to have been."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is None:
        yield
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        yield
    finally:
        del sys.modules[name]


def _quantise(model: nn.Module, weights: Mapping[str, mx.array], paths: set[str]) -> None:
    """Give the layers under `paths` quantised form, each with the group size and bits its weights were packed with."""

    def form(path: str, module: nn.Module) -> bool | dict[str, int]:
        if path not in paths:
            return False
        inputs = module.weight.shape[-1]
        bits = weights[f"{path}.weight"].shape[-1] * 32 // inputs
        return {"group_size": inputs // weights[f"{path}.scales"].shape[-1], "bits": bits}

    if paths:
        nn.quantize(model, class_predicate=form)


def _dequantise(model: nn.Module) -> None:
    plain = []
    for path, layer in tree_flatten(model.leaf_modules(), is_leaf=nn.Module.is_module):
        if isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding):
            weight = mx.dequantize(
                layer.weight, layer.scales, layer.get("biases"), layer.group_size, layer.bits, layer.mode
            )
            plain.append((path, _with_weight(layer, weight)))
    model.update_modules(tree_unflatten(plain))


def _with_weight(layer: nn.Module, weight: mx.array) -> nn.Module:
    if isinstance(layer, nn.QuantizedEmbedding):
        embedding = nn.Embedding(1, 1)
        embedding.weight = weight
        return embedding
    linear = nn.Linear(1, 1, bias="bias" in layer)
    linear.weight = weight
    if "bias" in layer:
        linear.bias = layer.bias
    return linear
