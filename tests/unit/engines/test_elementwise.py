"""The CPU's own gelu, log-sum-exp and attention are MLX's, small and large, with OpenBLAS or without."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from speechmlx.engines import cpu

SHAPES = [(3, 5), (40, 1024), (1100, 1000)]
"""All but the first are large: they go through numpy."""


def random(shape: tuple[int, ...], scale: float = 4.0) -> mx.array:
    return mx.array((scale * np.random.default_rng(0).standard_normal(shape)).astype(np.float32))


@pytest.mark.parametrize("shape", SHAPES)
def test_gelu(shape: tuple[int, ...]) -> None:
    x = random(shape)
    expected = np.array(nn.gelu(x))
    np.testing.assert_allclose(np.array(cpu.gelu(x)), expected, atol=2e-6)


def test_gelu_far_out() -> None:
    for size in (9, 1 << 20):
        x = mx.array(np.resize(np.array([-1e4, -30, -9, -5, 0, 5, 9, 30, 1e4], np.float32), size))
        expected = np.array(nn.gelu(x))
        np.testing.assert_allclose(np.array(cpu.gelu(x)), expected, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_logsumexp(shape: tuple[int, ...]) -> None:
    x = mx.concatenate([random(shape, 10), mx.full((shape[0], 20), -mx.inf)], axis=-1)
    expected = mx.logsumexp(x, axis=-1, keepdims=True)
    np.testing.assert_allclose(np.array(cpu.logsumexp(x)), np.array(expected), atol=1e-5)


@pytest.mark.parametrize("length", [1, 7, 1100])
def test_attention(length: int) -> None:
    q, k, v = (random((2, 3, length, 16), 1.0) for _ in range(3))
    expected = mx.fast.scaled_dot_product_attention(q, k, v, scale=0.25)
    np.testing.assert_allclose(np.array(cpu.attend(q, k, v, 0.25)), np.array(expected), atol=1e-5)


def test_masked_attention() -> None:
    q, k, v = (random((2, 3, 6, 16), 1.0) for _ in range(3))
    mask = mx.triu(mx.full((6, 6), -1e9), k=1)[None, None]
    expected = mx.fast.scaled_dot_product_attention(q, k, v, scale=0.25, mask=mask)
    np.testing.assert_allclose(np.array(cpu.attend(q, k, v, 0.25, mask)), np.array(expected), atol=1e-5)
