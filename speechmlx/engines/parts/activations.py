"""Activations of plain operations. A graph that is compiled as a whole fuses them."""

from __future__ import annotations

from functools import partial

import mlx.core as mx


def elu(x: mx.array) -> mx.array:
    return mx.where(x > 0, x, mx.expm1(x))


def gelu(x: mx.array) -> mx.array:
    """The exact one, by the error function."""
    return x * (1 + mx.erf(x * 0.5**0.5)) / 2


def silu(x: mx.array) -> mx.array:
    return x * mx.sigmoid(x)


@partial(mx.compile, shapeless=True)
def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    """silu(gate) * x, one kernel on a GPU."""
    return silu(gate) * x


def snake(x: mx.array, speed: mx.array, depth: mx.array) -> mx.array:
    """x + depth * sin(x * speed)²; `speed` and `depth` are of each channel, the last axis."""
    return x + depth * mx.square(mx.sin(x * speed))
