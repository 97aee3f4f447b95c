"""Causal convolutions in pieces: they compute what a plain convolution computes of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from speechmlx.engines.parts.causal_conv import CausalConv, CausalUpsample, Past, StreamRows, upsampling_kernel

CHANNELS, OUT, LENGTH = 6, 8, 24
Layer = CausalConv | CausalUpsample


@pytest.fixture(autouse=True)
def seeded() -> None:
    mx.random.seed(3)


def run(layer: Layer, x: mx.array, pieces: Sequence[int]) -> Any:
    """What a layer gives for x [B, T, C] in pieces of these lengths, and then the rest."""
    state, parts, at = StreamRows(layer.first(len(x))), [], 0
    for length in (*pieces, x.shape[1]):
        past = Past(state.arrays)
        if at < x.shape[1]:
            parts.append(layer(x[:, at : at + length], past))
            state.arrays = past.after
            at += length
    return np.array(mx.concatenate(parts, axis=1))


@pytest.mark.parametrize("pieces", [[], [2, 2, 2], [4, 8], [12]])
@pytest.mark.parametrize(
    ("taps", "options"),
    [(1, {}), (7, {}), (7, {"dilation": 3}), (3, {"groups": 2}), (4, {"stride": 2}), (2, {"stride": 2})],
)
def test_a_convolution_in_pieces(taps: int, options: dict[str, Any], pieces: list[int]) -> None:
    x = mx.random.normal((2, LENGTH, CHANNELS))
    weight = mx.random.normal((OUT, taps, CHANNELS // options.get("groups", 1)))
    bias = mx.random.normal((OUT,))
    before = (taps - 1) * options.get("dilation", 1) + 1 - options.get("stride", 1)
    whole = mx.conv1d(mx.pad(x, [(0, 0), (before, 0), (0, 0)]), weight, **options) + bias
    assert run(CausalConv(weight, bias, **options), x, pieces) == pytest.approx(np.array(whole), abs=1e-4)


@pytest.mark.parametrize("pieces", [[], [1, 1, 1], [2, 5]])
@pytest.mark.parametrize(("stride", "taps", "groups"), [(2, 2, 1), (3, 6, 1), (5, 15, 1), (2, 4, 2)])
def test_a_transposed_convolution_in_pieces(stride: int, taps: int, groups: int, pieces: list[int]) -> None:
    x = mx.random.normal((2, LENGTH, CHANNELS))
    weight, bias = mx.random.normal((OUT, taps, CHANNELS // groups)), mx.random.normal((OUT,))
    whole = mx.conv_transpose1d(x, weight, stride=stride, groups=groups)[:, : LENGTH * stride] + bias
    layer = CausalUpsample(upsampling_kernel(weight, stride, groups), bias, stride, groups)
    assert run(layer, x, pieces) == pytest.approx(np.array(whole), abs=1e-4)


def test_a_kernel_that_is_no_multiple_of_its_stride_is_refused() -> None:
    with pytest.raises(AssertionError, match="5 is no multiple of the stride 2"):
        upsampling_kernel(mx.zeros((1, 5, 1)), 2)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("length", [1, 6, 7])
@pytest.mark.parametrize("taps", [4, 8])
def test_the_edges_of_a_stream(length: int, taps: int, repeated: bool) -> None:
    """Zeros or the first value before it; its last piece is filled up in the same way."""
    x = mx.random.normal((1, length, CHANNELS))
    weight, stride = mx.random.normal((OUT, taps, CHANNELS)), 4
    edges = [(0, 0), (taps - stride, -length % stride), (0, 0)]
    padded = mx.pad(x, edges, mode="edge" if repeated else "constant")
    whole = mx.conv1d(padded, weight, stride=stride)
    layer = CausalConv(weight, stride=stride, repeated=repeated)
    assert run(layer, x, [4] if length > 4 else []) == pytest.approx(np.array(whole), abs=1e-4)


def test_a_stream_that_joins_later_begins_with_its_own_first_value() -> None:
    layer = CausalConv(mx.random.normal((OUT, 4, CHANNELS)), stride=2, repeated=True)
    x = mx.random.normal((2, LENGTH, CHANNELS))
    alone = [run(layer, x[row : row + 1], [2]) for row in range(2)]
    past = Past(layer.first(1))
    mx.eval(layer(x[:1, :4], past))
    state = StreamRows(past.after)
    state.join(StreamRows(layer.first(1)))
    assert len(state) == 2
    past = Past(state.arrays)
    found = np.array(layer(mx.concatenate([x[:1, 4:10], x[1:, :6]]), past))
    assert found[0] == pytest.approx(alone[0][0, 2:5], abs=1e-5)
    assert found[1] == pytest.approx(alone[1][0, :3], abs=1e-5)
    state.arrays = past.after
    state.keep([1])
    past = Past(state.arrays)
    assert np.array(layer(x[1:, 6:], past))[0] == pytest.approx(alone[1][0, 3:], abs=1e-5)
