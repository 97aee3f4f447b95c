"""Faster forms of what MLX's CPU backend computes one element at a time: gelu, softmax, log-sum-exp.

Large arrays are evaluated and rewritten in place through numpy, whose exp and tanh are vectorised: 0.3 ns an element
where MLX takes 9 (exp) or 20 (erf). Small ones get an exp composed of MLX's own vectorised operations and stay lazy.
Never used on a GPU.
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 15
"""Elements worked on at a time, so that intermediates stay in the first caches."""
LARGE = 1 << 18
"""Elements from which a round trip through numpy pays."""

_TANH_OF_ERF = (1.5896271413e-07, -5.9857320346e-06, 8.9712824744e-05, -6.2572015746e-04, -1.8438307493e-04,
                1.0276548121e-01, 1.1283797055e00)  # fmt: skip
"""P with erf(x) = tanh(x P(x²)) within 6e-8, highest power first; a least-squares fit over [0, 4.2]."""
_EXP2 = (1.3390863363e-03, 9.6760319183e-03, 5.5503571142e-02, 2.4022107485e-01, 6.9314718804e-01, 1.0000000755)
"""2^f within 1e-7 for f in [-0.5, 0.5], highest power first; a Chebyshev interpolation."""
_ROUND = 12582912.0
"""1.5 * 2^23: adding it to a small float32 leaves the nearest integer in the low bits."""


def _view(array: mx.array) -> NDArray[np.float32]:
    mx.eval(array)
    return np.array(array, copy=False)


def gelu(x: mx.array) -> mx.array:
    """x * Phi(x) of float32 `x`, which is overwritten when it is large."""
    if x.size < LARGE:
        return x * (0.5 + 0.5 * _tanh(_erf_argument(x * 0.7071067811865476)))
    flat = _view(x).reshape(-1)
    square, value = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for first in range(0, len(flat), BLOCK):
        part = flat[first : first + BLOCK]
        _gelu_block(part, square[: len(part)], value[: len(part)])
    return x


def _gelu_block(x: NDArray[np.float32], square: NDArray[np.float32], value: NDArray[np.float32]) -> None:
    np.multiply(x, np.float32(0.7071067811865476), out=x)
    np.multiply(x, x, out=square)
    np.minimum(square, np.float32(17.64), out=square)
    np.multiply(square, np.float32(_TANH_OF_ERF[0]), out=value)
    for factor in _TANH_OF_ERF[1:-1]:
        np.add(value, np.float32(factor), out=value)
        np.multiply(value, square, out=value)
    np.add(value, np.float32(_TANH_OF_ERF[-1]), out=value)
    np.multiply(value, x, out=value)
    np.tanh(value, out=value)
    np.add(value, np.float32(1), out=value)
    np.multiply(x, np.float32(0.7071067811865476), out=x)
    np.multiply(x, value, out=x)


def _erf_argument(x: mx.array) -> mx.array:
    square = mx.minimum(x * x, 17.64)
    value = square * _TANH_OF_ERF[0]
    for factor in _TANH_OF_ERF[1:-1]:
        value = (value + factor) * square
    return (value + _TANH_OF_ERF[-1]) * x


def _tanh(x: mx.array) -> mx.array:
    return 1 - 2 / (exp(2 * x) + 1)


def exp(x: mx.array) -> mx.array:
    """e^x of float32 `x` within 2e-7 for x in [-87, 88]; clamped outside."""
    y = mx.clip(x * 1.4426950408889634, -126.0, 126.99)
    shifted = y + _ROUND
    fraction = y - (shifted - _ROUND)
    value = fraction * _EXP2[0]
    for factor in _EXP2[1:-1]:
        value = (value + factor) * fraction
    value = value + _EXP2[-1]
    power = mx.left_shift(shifted.view(mx.int32), mx.array(23, mx.int32))
    return (value.view(mx.int32) + power).view(mx.float32)


def logsumexp(x: mx.array) -> mx.array:
    """log of the sum of e^x over the last axis of float32 `x`, that axis kept."""
    top = mx.max(x, axis=-1, keepdims=True)
    return top + mx.log(mx.sum(exp(x - top), axis=-1, keepdims=True))


def softmax(scores: mx.array) -> mx.array:
    """Over the last axis of float32 `scores`."""
    weights = exp(scores - mx.max(scores, axis=-1, keepdims=True))
    return weights / mx.sum(weights, axis=-1, keepdims=True)


def attend(q: mx.array, k: mx.array, v: mx.array, scale: float, mask: mx.array | None = None) -> mx.array:
    """Attention of q [b, h, t, d] over k and v [b, h, n, d], `mask` [b or 1, 1, t, n] added; by heads when large.

    A head is done before the next begins, so that its scores, the largest array here, stay in the caches.
    """
    if q.shape[2] == 1:  # keys are read as they lie
        scores = (k @ (q * scale).transpose(0, 1, 3, 2)).reshape(*q.shape[:3], k.shape[2])
        return softmax(scores if mask is None else scores + mask) @ v
    keys = k.transpose(0, 1, 3, 2)
    if q.shape[2] * k.shape[2] < LARGE:
        scores = (q * scale) @ keys
        return softmax(scores if mask is None else scores + mask) @ v
    q = q * scale
    rows = []
    for row in range(q.shape[0]):
        heads = []
        for head in range(q.shape[1]):
            scores = q[row, head] @ keys[row, head]
            scores = scores if mask is None else scores + mask[row % len(mask), 0]
            sums = _exp_in_place(scores)
            heads.append((scores @ v[row, head]) / sums)
            mx.eval(heads[-1])
        rows.append(mx.stack(heads))
    return mx.stack(rows)


def _exp_in_place(scores: mx.array) -> mx.array:
    """Overwrites `scores` [t, n] with e to the power of their distance to each row's largest; the rows' sums [t, 1]."""
    view = _view(scores)
    sums = np.empty((len(view), 1), np.float32)
    step = max(1, BLOCK // view.shape[-1])
    for first in range(0, len(view), step):
        part = view[first : first + step]
        np.subtract(part, part.max(axis=-1, keepdims=True), out=part)
        np.exp(part, out=part)
        part.sum(axis=-1, keepdims=True, out=sums[first : first + step])
    return mx.array(sums)
