"""Metal's arithmetic on MLX's CPU backend, for the code that runs on a GPU.

MLX's CPU backend sums products of narrow types in that type; Metal sums them in float32 and rounds once. Inside
`metal_arithmetic()` products, convolutions, norms, rotations and attention of float16 and bfloat16 are computed in
float32 and rounded to their type. With `tf32`, factors of float32 products are rounded to 10 bits of mantissa, as MLX
multiplies on an M5. Values, types and shapes are those of a GPU; speed is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import mlx.nn as nn
from support.plain_mlx import plain_mlx

Operation = Callable[..., Any]

PRODUCTS: tuple[tuple[Any, str], ...] = (
    (mx, "matmul"),
    (mx, "addmm"),
    (mx, "gather_mm"),
    (mx, "conv1d"),
    (mx, "conv2d"),
    (mx, "conv_transpose1d"),
    (mx.array, "__matmul__"),
    (mx.fast, "scaled_dot_product_attention"),
)
SUMS: tuple[tuple[Any, str], ...] = (
    (mx.fast, "layer_norm"),
    (mx.fast, "rms_norm"),
    (mx.fast, "rope"),
    (mx, "softmax"),
    (mx, "logsumexp"),
)
evaluate, multiply = mx.eval, mx.matmul
"""As they are, whoever watches."""
NARROW = (mx.float16, mx.bfloat16)
MANY = 32
"""Rows."""


@contextmanager
def metal_arithmetic(tf32: bool = False) -> Iterator[None]:
    """Replace MLX's operations while it is open; models must be loaded inside, because they compile some."""
    with plain_mlx(), ExitStack() as patches:
        for where, name in PRODUCTS:
            patches.enter_context(patch.object(where, name, in_float32(getattr(where, name), tf32)))
        for where, name in SUMS:
            patches.enter_context(patch.object(where, name, in_float32(getattr(where, name))))
        quantised = in_float32(_quantised_product(mx.quantized_matmul), tf32)
        patches.enter_context(patch.object(mx, "quantized_matmul", quantised))
        layers = _Layers()
        if not tf32:
            patches.enter_context(patch.object(nn.Linear, "__call__", layers.linear(nn.Linear.__call__)))
            patches.enter_context(patch.object(nn.Embedding, "as_linear", layers.as_linear(nn.Embedding.as_linear)))
        yield


class _Layers:
    """Linear layers of narrow weights, kept as float32: to widen them for each token would take most of the time."""

    def __init__(self) -> None:
        self._wide: dict[int, tuple[mx.array, mx.array]] = {}

    def linear(self, plain: Operation) -> Operation:
        @wraps(plain)
        def run(layer: nn.Linear, x: mx.array) -> mx.array:
            if layer.weight.dtype not in NARROW:
                return plain(layer, x)
            y = x.astype(mx.float32) @ self._kept(layer.weight).T
            return (y + layer.bias.astype(mx.float32) if "bias" in layer else y).astype(x.dtype)

        return run

    def as_linear(self, plain: Operation) -> Operation:
        @wraps(plain)
        def run(layer: nn.Embedding, x: mx.array) -> mx.array:
            if layer.weight.dtype not in NARROW:
                return plain(layer, x)
            return (x.astype(mx.float32) @ self._kept(layer.weight).T).astype(x.dtype)

        return run

    def _kept(self, weight: mx.array) -> mx.array:
        if id(weight) not in self._wide:
            wide = weight.astype(mx.float32)
            evaluate(wide)
            self._wide[id(weight)] = weight, wide
        return self._wide[id(weight)][1]


def _quantised_product(product: Operation) -> Operation:
    """`product` of many rows through BLAS: MLX's own reads the bits of each weight anew for every row."""

    @wraps(product)
    def run(
        x: mx.array, w: mx.array, scales: mx.array, biases: mx.array, *, transpose: bool = True, **how: Any
    ) -> mx.array:
        if not transpose or x.size < MANY * x.shape[-1]:
            return product(x, w, scales, biases, transpose=transpose, **how)
        return multiply(x, mx.dequantize(w, scales, biases, **how).T)

    return run


def in_float32(operation: Operation, tf32: bool = False) -> Operation:
    """`operation` on its arguments as float32; its result has the type that `operation` would give."""

    @wraps(operation)
    def run(*args: Any, **kwargs: Any) -> Any:
        arrays = [a for a in (*args, *kwargs.values()) if isinstance(a, mx.array) and _is_real(a)]
        dtype = next((a.dtype for a in arrays if a.dtype in NARROW), None)
        if dtype is None and not tf32:
            return operation(*args, **kwargs)
        if any(a.dtype == mx.float32 for a in arrays):
            dtype = None
        widened = [_wide(a, tf32) for a in args]
        result = operation(*widened, **{name: _wide(a, tf32) for name, a in kwargs.items()})
        return result if dtype is None else result.astype(dtype)

    return run


def _is_real(array: mx.array) -> bool:
    return mx.issubdtype(array.dtype, mx.floating)


def _wide(value: Any, tf32: bool) -> Any:
    if not isinstance(value, mx.array) or not _is_real(value):
        return value
    value = value.astype(mx.float32)
    return ((value.view(mx.int32) + 0x1000) & ~0x1FFF).view(mx.float32) if tf32 else value
