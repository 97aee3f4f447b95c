"""Transcendental functions for MLX's CPU backend, which computes them one element at a time: 10 to 20 ns each.

Numpy's are vectorised and take 0.3 to 1 ns, and small arrays cost an evaluation, which seldom is more. All sizes go
through it, so that a request has the same numbers in any batch. They have no gradients. Never used on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from speechmlx.engines.cpu.elementwise import Values, error_function, view

NAMES = ("cos", "erf", "exp", "logaddexp", "sigmoid", "sin", "softmax", "tanh")

ORIGINALS: dict[str, Callable[..., mx.array]] = {name: getattr(mx, name) for name in NAMES}


def install() -> None:
    """Replace the functions of mlx, and those of mlx.nn that mlx compiled from them."""
    for name, compute in (("cos", np.cos), ("erf", error_function), ("exp", np.exp), ("sin", np.sin),
                          ("sigmoid", _sigmoid), ("tanh", np.tanh)):  # fmt: skip
        setattr(mx, name, _of_elements(ORIGINALS[name], compute))
    mx.logaddexp, mx.softmax = logaddexp, softmax
    nn.silu = silu


def silu(x: mx.array) -> mx.array:
    """x * sigmoid(x)"""
    return x * mx.sigmoid(x)


@wraps(ORIGINALS["logaddexp"])
def logaddexp(a: Any, b: Any, /, *, stream: Any = None) -> mx.array:
    """log(exp(a) + exp(b)) of arrays or numbers."""
    first, second = _values(a, stream), _values(b, stream) if isinstance(b, mx.array) else b
    if first is None or second is None:
        return ORIGINALS["logaddexp"](a, b, stream=stream)
    with np.errstate(invalid="ignore"):
        distance = np.abs(first - second)
        distance[np.isnan(distance)] = 0  # of two infinities
        return mx.array(np.maximum(first, second) + np.log1p(np.exp(-distance)))


@wraps(ORIGINALS["softmax"])
def softmax(a: mx.array, /, axis: Any = None, *, stream: Any = None, precise: bool = False) -> mx.array:
    """Of float32, over one axis. MLX computes all else."""
    values = _values(a, stream) if isinstance(axis, int) else None
    if values is None:
        return ORIGINALS["softmax"](a, axis, stream=stream, precise=precise)
    with np.errstate(invalid="ignore"):
        shares = np.subtract(values, values.max(axis=axis, keepdims=True))
        np.exp(shares, out=shares)
        np.divide(shares, shares.sum(axis=axis, keepdims=True), out=shares)
    return mx.array(shares)


def _of_elements(original: Callable[..., mx.array], compute: Callable[[Values], Values]) -> Callable[..., mx.array]:
    @wraps(original)
    def function(a: Any, /, *, stream: Any = None) -> mx.array:
        values = _values(a, stream)
        if values is None:
            return original(a, stream=stream)
        with np.errstate(invalid="ignore", over="ignore"):
            return mx.array(compute(values))

    return function


def _values(a: Any, stream: Any) -> Values | None:
    """The values of `a` where numpy is to compute, else None: numpy makes numbers of arrays without axes."""
    if not isinstance(a, mx.array) or not a.ndim or not a.size or a.dtype != mx.float32 or stream is not None:
        return None
    try:
        return np.ascontiguousarray(view(a))  # numpy rounds otherwise where elements lie apart
    except ValueError:  # it has no values yet where mx.compile or mx.vmap look at a network
        return None


def _sigmoid(values: Values) -> Values:
    result = np.negative(values)
    np.exp(result, out=result)
    np.add(result, np.float32(1), out=result)
    return np.reciprocal(result, out=result)
