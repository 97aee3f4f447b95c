"""The CPU's own gelu, softmax, exp and attention are MLX's, small and large."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from speechmlx.engines import cpu

SHAPES = [(3, 5), (40, 1024), (1100, 1000)]
"""The last is large: it goes through numpy."""


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
def test_softmax(shape: tuple[int, ...]) -> None:
    x = random(shape, 10)
    expected = np.array(mx.softmax(x, axis=-1))
    np.testing.assert_allclose(np.array(cpu.softmax(x)), expected, atol=3e-6)


def test_exp_and_logsumexp() -> None:
    x = mx.linspace(-86, 88, 10_001)
    np.testing.assert_allclose(np.array(cpu.exp(x)), np.exp(np.array(x, copy=False).astype(np.float64)), rtol=1e-5)
    assert np.array(cpu.exp(mx.array([-1e9, -np.inf]))).max() < 1e-37
    rows = mx.concatenate([random((4, 500)), mx.full((4, 20), -1e9)], axis=-1)
    np.testing.assert_allclose(
        np.array(cpu.logsumexp(rows)), np.array(mx.logsumexp(rows, axis=-1, keepdims=True)), atol=1e-5
    )


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
