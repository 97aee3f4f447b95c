"""Products of one row or two with a large matrix, which is what a decoder's step is made of.

MLX hands every product to BLAS as one of two matrices, and OpenBLAS copies the larger one for that, row by row of the
weights, before it multiplies: they come in at 8 to 12 GB/s. Its product of a matrix and a vector reads them where they
lie, at 25. So such products are evaluated at once, outside MLX's graph. Never used on a GPU.
"""

from __future__ import annotations

import ctypes
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

LARGE = 1 << 19
"""Elements of a matrix from which reading it once is worth an evaluation (some 80 µs)."""
ROWS = 2
"""Rows up to which a product each beats one of all."""

_linear = nn.Linear.__call__
_as_linear = nn.Embedding.as_linear

ROW_MAJOR, AS_IT_IS = 101, 111  # CBLAS


def openblas() -> Any:
    """`cblas_sgemv` of the OpenBLAS in this process; None where there is none."""
    library = ctypes.CDLL(None)
    return library.cblas_sgemv if hasattr(library, "openblas_get_config") else None


_sgemv = openblas()
if _sgemv is not None:
    whole, real, array = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    _sgemv.argtypes = [whole, whole, whole, whole, real, array, whole, array, whole, real, array, whole]


def linear(layer: nn.Linear, x: mx.array) -> mx.array:
    """nn.Linear: x [..., in] → [..., out]."""
    y = rows(x, layer.weight)
    if y is None:
        return _linear(layer, x)
    return y + layer.bias if "bias" in layer else y


def as_linear(layer: nn.Embedding, x: mx.array) -> mx.array:
    """nn.Embedding.as_linear: x [..., width] → [..., entries]."""
    y = rows(x, layer.weight)
    return _as_linear(layer, x) if y is None else y


def rows(x: mx.array, weight: mx.array) -> mx.array | None:
    """x [..., in] times weight [out, in] transposed, evaluated: [..., out]; None where MLX is not slower."""
    few = weight.size >= LARGE and 0 < x.size <= ROWS * weight.shape[-1]
    if _sgemv is None or not few or not x.dtype == weight.dtype == mx.float32:
        return None
    x = mx.contiguous(x)
    try:
        mx.eval(x, weight)
    except ValueError:  # they have no values yet where mx.compile or mx.vmap look at a network
        return None
    matrix, vectors = np.array(weight, copy=False), np.array(x, copy=False).reshape(-1, x.shape[-1])
    if not matrix.flags.c_contiguous:
        return None
    out, width = matrix.shape
    result = np.empty((len(vectors), out), np.float32)
    for vector, row in zip(vectors, result, strict=True):
        places = (matrix.ctypes.data, width, vector.ctypes.data, 1)
        _sgemv(ROW_MAJOR, AS_IT_IS, out, width, 1.0, *places, 0.0, row.ctypes.data, 1)
    return mx.array(result).reshape(*x.shape[:-1], out)
