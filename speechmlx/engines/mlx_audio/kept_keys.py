"""How many bytes of keys and values the networks of the package keep: read off the shapes of their attentions."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.mlx_audio.tree import modules

MAKERS = (("k_proj", "v_proj"), ("key_net", "value_net"))
"""Names of an attention's layers that make its keys and its values."""


def kept_in(model: Any, paths: Iterable[str], positions: int, wide: bool = False) -> int:
    """Bytes that the networks at `paths` of `model` keep of so many positions.

    In a path, * is each of a list; "" is no path, and what the model lacks keeps none. `wide`: in float32, of whatever
    type the weights are.
    """
    parts = [part for path in paths if path for part in _at(model, path)]
    return sum(_kept_by(module, positions, wide) for part in parts for module in modules(part))


def _at(model: Any, path: str) -> list[Any]:
    parts = [model]
    for name in path.split("."):
        parts = list(chain(*parts)) if name == "*" else [getattr(part, name, None) for part in parts]
    return parts


def _kept_by(module: nn.Module, positions: int, wide: bool) -> int:
    """Bytes that one module keeps of so many positions: an attention its keys and values, a linear one its state."""
    if "in_proj_qkv" in module:
        state = module.num_v_heads * module.head_v_dim * module.head_k_dim
        return 4 * (state + module.conv_dim * module.conv_kernel_size)
    if pair := next((names for names in MAKERS if names[0] in module), None):
        made = module[pair[0]]
        width = sum(module[name].weight.shape[0] for name in pair)
    elif "in_proj" in module:
        made = module.in_proj
        width = 2 * made.weight.shape[0] // 3
    elif "wqkv" in module:
        made = module.wqkv
        width = 2 * getattr(module, "n_kv_heads", getattr(module, "n_kv", 0)) * module.head_dim
    else:
        return 0
    kind = made.get("scales", made.weight).dtype
    size = 4 if wide or not mx.issubdtype(kind, mx.floating) else kind.size
    return int(positions * width * size)
