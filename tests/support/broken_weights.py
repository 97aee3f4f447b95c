"""Weights that are NaN once a model is loaded, as a broken device makes them: on the disk they are good."""

from __future__ import annotations

import functools
from typing import Any

import mlx.core as mx
import numpy as np

PACKAGES = ("speechmlx", "mlx", "mlx_audio", "mlx_lm")
"""Whose objects are looked into."""


def break_weights(model: Any) -> None:
    """Make every floating-point array NaN that the objects, dictionaries and lists of `model` hold."""
    seen, waiting = set[int](), [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, functools.partial):
            waiting += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, tuple):
            waiting += value
        elif isinstance(value, list):
            value[:] = map(_broken, value)
            waiting += value
        else:
            holders = [value] if isinstance(value, dict) else []  # a module is one, and has attributes
            if type(value).__module__.split(".")[0] in PACKAGES and hasattr(value, "__dict__"):
                holders.append(vars(value))
            for holder in holders:
                for name, item in list(holder.items()):
                    if (broken := _broken(item)) is not item:
                        dict.__setitem__(holder, name, broken)
                waiting += holder.values()


def _broken(value: Any) -> Any:
    """NaN in the place of an array."""
    if isinstance(value, mx.array) and mx.issubdtype(value.dtype, mx.floating):
        return mx.full(value.shape, mx.nan, value.dtype)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.full_like(value, np.nan)
    return value
