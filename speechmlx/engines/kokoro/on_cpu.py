"""Instance norm, snake activation and convolution for CPUs, in numpy and BLAS.

MLX's own operations are scalar code on a CPU. A GPU does not use this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import mlx.core as mx
import numpy as np

from speechmlx.engines.cpu import BLOCK, Matrix, multiply, view

# sin²(πz) / π as a polynomial in z² for |z| <= 1/2, least maximum error 7e-6.
SNAKE = (3.1406600959586783, -10.298556974739878, 13.144591354700626, -7.318230237532612)


def snake_conv(
    norm: Callable[[mx.array], mx.array],
    alpha: mx.array,
    kernel: mx.array,
    bias: mx.array,
    dilation: int,
    epsilon: float,
) -> Callable[[mx.array, mx.array, mx.array | None], mx.array]:
    """Adaptive instance norm, the snake activation x + sin²(αx)/α and a convolution that keeps the length.

    `norm` maps a style to gamma and beta, concatenated [1, 2c]. `kernel` is [out, k, c]. The layer maps (x [t, c],
    style, residual [t, out] or None) to an evaluated array [t, out], the residual included.
    """
    # With y = αx/π the snake is (y + sin²(πy)/π) * π/α: the kernel absorbs the last factor.
    rate = alpha / math.pi
    taps = [mx.contiguous((kernel[:, i] / rate).T) for i in range(kernel.shape[1])]
    edge = len(taps) // 2 * dilation

    def run(x: mx.array, style: mx.array, residual: mx.array | None) -> mx.array:
        wave, gamma_beta, rates = view(x), view(norm(style)), view(rate)
        length, channels = wave.shape
        mean, variance = _moments(wave)
        factor = (1 + gamma_beta[0, :channels]) / np.sqrt(variance + epsilon)
        shift = gamma_beta[0, channels:] - mean * factor
        padded = np.empty((length + 2 * edge, channels), np.float32)
        padded[:edge] = padded[edge + length :] = 0
        _snake((factor * rates).astype(np.float32), (shift * rates).astype(np.float32), wave, padded[edge:])
        result = mx.zeros((length, taps[0].shape[1]))
        out = view(result)
        np.copyto(out, view(bias)) if residual is None else np.add(view(residual), view(bias), out=out)
        for i, tap in enumerate(taps):
            multiply(padded[i * dilation : i * dilation + length], view(tap), out, add=True)
        return result

    return run


def _moments(x: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel of x [t, c], float64."""
    total, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for part in _blocks(x):
        total += part.sum(axis=0)
        squares += np.square(part).sum(axis=0)
    mean = total / len(x)
    return mean, np.maximum(squares / len(x) - mean * mean, 0.0)


def _snake(factor: Matrix, shift: Matrix, x: Matrix, out: Matrix) -> None:
    """Write y + sin²(πy)/π to `out`, where y = x * factor + shift."""
    for part, y in zip(_blocks(x), _blocks(out), strict=False):
        y = y[: len(part)]
        np.multiply(part, factor, out=y)
        np.add(y, shift, out=y)
        square = np.rint(y)
        np.subtract(y, square, out=square)
        np.multiply(square, square, out=square)
        value = square * np.float32(SNAKE[3])
        for constant in SNAKE[2::-1]:
            np.add(value, np.float32(constant), out=value)
            np.multiply(value, square, out=value)
        np.add(y, value, out=y)


def _blocks(x: Matrix) -> Iterator[Matrix]:
    """Blocks of rows that stay in the level 1 and 2 caches between operations."""
    size = max(1, BLOCK // x.shape[1])
    for first in range(0, len(x), size):
        yield x[first : first + size]
