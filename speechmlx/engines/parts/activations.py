"""Activations of plain operations: `mlx.nn` has them compiled, which a CPU would have done by a C++ compiler.

A graph that is compiled as a whole fuses them all the same.
"""

from __future__ import annotations

import mlx.core as mx


def elu(x: mx.array) -> mx.array:
    return mx.where(x > 0, x, mx.expm1(x))


def gelu(x: mx.array) -> mx.array:
    """The exact one, by the error function."""
    return x * (1 + mx.erf(x * 0.5**0.5)) / 2


def silu(x: mx.array) -> mx.array:
    return x * mx.sigmoid(x)


def snake(x: mx.array, speed: mx.array, depth: mx.array) -> mx.array:
    """x + depth * sin(x * speed)²; `speed` and `depth` are of each channel, the last axis."""
    return x + depth * mx.square(mx.sin(x * speed))
