"""Matrix products for MLX's CPU backend that call OpenBLAS directly. Never used on a GPU.

A decoder's step consists of products of one or two rows with a large matrix. MLX calls BLAS for two matrices, and
OpenBLAS copies the larger one first: it reads weights at 8 to 12 GB/s. Its product of a matrix and a vector reads them
in place, at 25 GB/s. MLX also copies matrices with strided rows, such as those of attention heads, element by element;
`multiply` reads and writes them in place.
"""

from __future__ import annotations

import ctypes
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

LARGE = 1 << 19
"""Number of elements of a matrix from which on these products are worth an evaluation (about 80 µs)."""
ROWS = 2
"""Number of rows up to which one product per row is faster than one for all."""

_linear = nn.Linear.__call__
_as_linear = nn.Embedding.as_linear

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112
"""Constants of CBLAS."""


def openblas() -> tuple[Any, Any]:
    """`cblas_sgemv` and `cblas_sgemm` of the OpenBLAS loaded in this process; None if there is none."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "openblas_get_config"):
        return None, None
    whole, real, array = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    sgemv, sgemm = library.cblas_sgemv, library.cblas_sgemm
    sgemv.argtypes = [*[whole] * 4, real, array, whole, array, whole, real, array, whole]
    sgemm.argtypes = [*[whole] * 6, real, array, whole, array, whole, real, array, whole]
    return sgemv, sgemm


_sgemv, _sgemm = openblas()


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
    """x [..., in] times transposed weight [out, in], evaluated: [..., out]. None if MLX is as fast."""
    few = weight.size >= LARGE and 0 < x.size <= ROWS * weight.shape[-1]
    fit = x.dtype == weight.dtype == mx.float32 and x.shape[-1:] == weight.shape[-1:]
    if _sgemv is None or not few or not fit:
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


def multiply(a: Matrix, b: Matrix, out: Matrix, factor: float = 1.0, add: bool = False) -> None:
    """out [m, n] = a [m, k] @ b [k, n] * factor, added to `out` if `add`.

    Rows of `out` must be contiguous, and rows or columns of `a` and of `b`.
    """
    if _sgemm is None:
        product = a @ b * np.float32(factor)
        np.add(out, product, out=out) if add else np.copyto(out, product)
        return
    (a_order, a_step), (b_order, b_step), (_, step) = _lies(a), _lies(b), _lies(out)
    sizes = (*out.shape, a.shape[1])
    places = (a.ctypes.data, a_step, b.ctypes.data, b_step)
    _sgemm(ROW_MAJOR, a_order, b_order, *sizes, factor, *places, float(add), out.ctypes.data, step)


def _lies(matrix: Matrix) -> tuple[int, int]:
    """Whether a matrix is stored by columns, and the distance in elements between its rows or columns."""
    by_row, by_column = (step // matrix.itemsize for step in matrix.strides)
    if by_column == 1:
        return AS_IT_IS, max(by_row, matrix.shape[1])
    if by_row == 1:
        return TRANSPOSED, max(by_column, matrix.shape[0])
    raise ValueError(f"neither rows nor columns of a matrix with strides {matrix.strides} are contiguous")
