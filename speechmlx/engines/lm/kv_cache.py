"""Keys and values of one sequence: a list with mlx-lm's cache object of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.lm.library import load_module


def new_cache(model: nn.Module) -> list[Any]:
    """An empty cache for one sequence."""
    cache: list[Any] = load_module("models.cache").make_prompt_cache(model)
    return cache


def can_merge(cache: Sequence[Any]) -> bool:
    """Whether the caches of several sequences can become the cache of one batch."""
    return all(hasattr(layer, "merge") for layer in cache)


def copy_prefix(cache: Sequence[Any], count: int) -> list[Any] | None:
    """A copy of the keys and values of the first `count` tokens; None if a layer keeps no history of single tokens."""
    kind = load_module("models.cache").KVCache
    if not all(type(layer) is kind and layer.keys is not None and layer.offset >= count for layer in cache):
        return None
    copy = [kind() for _ in cache]
    for target, layer in zip(copy, cache, strict=True):
        # Layers write into their arrays, so a view will not do.
        target.keys, target.values = (mx.contiguous(array[..., :count, :]) for array in (layer.keys, layer.values))
        target.offset = count
    return copy


def cut(cache: Sequence[Any], count: int) -> None:
    """Forget the keys and values of all tokens after the first `count`."""
    for layer in cache:
        layer.trim(layer.offset - count)


def evaluate(cache: Sequence[Any]) -> None:
    """Compute the keys and values now."""
    mx.eval([layer.state for layer in cache])


def beside_tokens(cache: Sequence[Any]) -> list[Any]:
    """The state of a step that its tokens may not need: offsets and padding, and what layers without attention carry.

    Keys and values are not among it: the tokens come from them, as mlx-lm's own loop expects of a network. A GPU would
    hold what `async_eval` is given until the step has ended, and a step launched meanwhile would copy all of it.
    """
    found: list[Any] = []
    for layer in cache:
        if hasattr(layer, "caches"):
            found += beside_tokens(layer.caches)
        elif hasattr(layer, "keys"):
            found += [getattr(layer, name, None) for name in ("offset", "left_padding")]
        else:
            found.append(layer.state)
    return found


def is_finite(cache: Sequence[Any]) -> bool:
    """Whether all keys and values, as `copy_prefix` gives them, are finite numbers. Computes them now."""
    checks = [mx.isfinite(array).all() for layer in cache for array in (layer.keys, layer.values)]
    return bool(mx.all(mx.stack(checks)).item())
