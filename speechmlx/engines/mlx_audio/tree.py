"""Walks the objects that make up a model of the package: modules, and what holds them."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import mlx.core as mx
import mlx.nn as nn

OURS = ("mlx_audio", "mlx_lm")
"""Packages whose plain objects are part of a model; objects of others, such as tokenizers, are not."""


LINEAR, INPUTS = (nn.Linear, nn.QuantizedLinear), (nn.Embedding, nn.QuantizedEmbedding)
LOGITS = ("as_linear", "next_logits", "step_logits")
"""Methods that compute logits with weights of another use, or of a part that is not called."""


def walk(model: Any) -> Iterator[Any]:
    """Every module, list and plain object of the package in `model`, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        value = waiting.pop()
        value = compiled_module(value) or value
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, (list, tuple)):
            yield value
            waiting.extend(value)
        elif isinstance(value, dict):  # modules are dictionaries, too
            yield value
            waiting.extend(value.values())
            waiting.extend(vars(value).values() if isinstance(value, nn.Module) else ())
        elif is_plain(value):
            yield value
            waiting.extend(vars(value).values())


def modules(model: Any) -> Iterator[nn.Module]:
    """The modules of `model`."""
    return (value for value in walk(model) if isinstance(value, nn.Module))


def layers(model: Any) -> list[nn.Module]:
    """The modules that stand in lists: a network's blocks."""
    found = {}
    for value in walk(model):
        if isinstance(value, (list, tuple)):
            found.update({id(item): item for item in value if isinstance(item, nn.Module)})
    return list(found.values())


def outer_layers(model: Any) -> list[tuple[nn.Module, tuple[str, ...]]]:
    """Heads, last norms and projections: what is in no block of `model`, with the methods that give its results."""
    found, seen, waiting = list[tuple[nn.Module, tuple[str, ...]]](), set[int](), [(model, False)]
    while waiting:
        value, is_listed = waiting.pop()
        value = compiled_module(value) or value
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module):
            if (methods := _results(value)) and (not is_listed or isinstance(value, LINEAR)):
                found.append((value, methods))
            if not is_listed:
                waiting += [(item, False) for item in (*value.values(), *vars(value).values())]
        elif isinstance(value, (list, tuple)):
            waiting += [(item, True) for item in value]
        elif isinstance(value, dict) or is_plain(value):
            waiting += [(item, is_listed) for item in (value if isinstance(value, dict) else vars(value)).values()]
    return found


def _results(module: nn.Module) -> tuple[str, ...]:
    has_weight = "weight" in module and not isinstance(module, INPUTS)
    return (*(name for name in LOGITS if hasattr(module, name)), *(["__call__"] if has_weight else []))


def weights(model: Any) -> dict[int, mx.array]:
    """The arrays that the modules of `model` hold, by their identity."""
    return {id(array): array for module in modules(model) for array in module.values() if isinstance(array, mx.array)}


def floating_type(model: Any) -> mx.Dtype:
    """The type of the floating-point weights of `model`."""
    types = [array.dtype for array in weights(model).values() if mx.issubdtype(array.dtype, mx.floating)]
    return types[0] if types else mx.float32


def replace_weights(model: Any, change: Callable[[mx.array], mx.array]) -> None:
    """Put what `change` makes of each array of the modules in its place."""
    for module in list(modules(model)):
        for name, value in list(module.items()):
            if isinstance(value, mx.array):
                module[name] = change(value)


def compiled_module(value: Any) -> nn.Module | None:
    """The module in a function of `mx.compile`, which hides it; None for anything else."""
    if type(value).__name__ not in ("gc_func", "_gc_func"):
        return None
    owner = getattr(getattr(value, "parameters", None), "__self__", None)  # it passes attributes on
    return owner if isinstance(owner, nn.Module) else None


def is_plain(value: Any) -> bool:
    """Whether it is an object of the package, with attributes, that may hold state."""
    if isinstance(value, (type, types.FunctionType, types.ModuleType)) or not hasattr(value, "__dict__"):
        return False
    return type(value).__module__.split(".")[0] in OURS
