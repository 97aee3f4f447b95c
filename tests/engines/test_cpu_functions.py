"""Rotations, attention and transcendental functions of our own are mlx's, only faster."""

from __future__ import annotations

import itertools
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from speechmlx.engines.cpu import attention, functions, rotary
from speechmlx.engines.parts.rotary import turn_from

pytestmark = pytest.mark.skipif(mx.default_device().type != mx.DeviceType.cpu, reason="CPU backend only")

ODD = [-1e4, -90.0, -30.0, -0.0, 0.0, 30.0, 90.0, 1e4, np.inf, -np.inf, np.nan]


def random(*shape: int, scale: float = 1.0) -> mx.array:
    return mx.array(scale * np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32))


def odd(size: int) -> mx.array:
    return mx.array(np.resize(np.array(ODD, np.float32), size))


def same(ours: mx.array, original: mx.array, atol: float = 2e-6, rtol: float = 3e-6) -> None:
    assert ours.dtype == original.dtype
    np.testing.assert_allclose(np.array(ours), np.array(original), atol=atol, rtol=rtol)


@pytest.mark.parametrize("name", functions.NAMES)
@pytest.mark.parametrize("size", [5, 30])
@pytest.mark.parametrize("strided", [False, True])
def test_a_function_equals_the_original(name: str, size: int, strided: bool) -> None:
    x = random(size, 20, 20, scale=8.0)
    x = x.transpose(2, 0, 1) if strided else x
    given: dict[str, tuple[Any, ...]] = {"logaddexp": (x, -x), "softmax": (x, 1)}
    arguments = given.get(name, (x,))
    same(getattr(mx, name)(*arguments), functions.ORIGINALS[name](*arguments))
    assert getattr(mx, name) is not functions.ORIGINALS[name]


@pytest.mark.parametrize("name", ["erf", "exp", "sigmoid", "tanh"])
@pytest.mark.filterwarnings("error")
def test_functions_of_numbers_far_out_and_of_no_numbers(name: str) -> None:
    x = odd(1000)
    same(getattr(mx, name)(x), functions.ORIGINALS[name](x))


@pytest.mark.filterwarnings("error")
def test_sums_of_exponentials_of_infinities() -> None:
    x = odd(1000)
    for other in (0.0, x, -mx.inf):
        same(mx.logaddexp(x, other), functions.ORIGINALS["logaddexp"](x, other))


@pytest.mark.filterwarnings("error")
def test_shares_of_rows_that_are_ruled_out() -> None:
    x = mx.concatenate([random(100, 100), mx.full((100, 100), -mx.inf)], axis=1)
    same(mx.softmax(x, axis=-1), functions.ORIGINALS["softmax"](x, axis=-1))
    assert mx.isnan(mx.softmax(x[:, 1:] * 0 + mx.nan, axis=-1)).all()


@pytest.mark.parametrize("name", [name for name in functions.NAMES if name not in ("logaddexp", "softmax")])
def test_a_number_alone_has_no_axes(name: str) -> None:
    assert getattr(mx, name)(mx.array(0.5)).shape == mx.logaddexp(mx.array(0.5), 0.0).shape == ()


def test_a_row_that_may_look_at_nothing_has_numbers() -> None:
    q, mask = random(1, 2, 128, 32), mx.ones((128, 128), mx.bool_)
    mask[3] = False
    same(attention.fused(q, q, q, scale=0.2, mask=mask), attention.ORIGINAL(q, q, q, scale=0.2, mask=mask), atol=2e-5)
    fewer = q[:, :, :64]
    late = attention.fused(q, fewer, fewer, scale=0.2, mask="causal")
    assert mx.isfinite(late).all()
    with pytest.raises(ValueError, match="mask"):
        attention.fused(q, q, q, scale=0.2, mask="all")


def test_a_turn_keeps_the_type() -> None:
    x = random(2, 3, 1, 16).astype(mx.bfloat16)
    assert turn_from(mx.array([3, 4]), 1, 16, 1e4)(x).dtype == turn_from(3, 1, 16, 1e4)(x).dtype == mx.bfloat16


def test_other_types_and_axes_go_to_the_original() -> None:
    x = random(100, 100)
    assert mx.sin(x.astype(mx.float16)).dtype == mx.float16
    assert mx.array_equal(mx.softmax(x), functions.ORIGINALS["softmax"](x))
    same(nn.silu(x), x * functions.ORIGINALS["sigmoid"](x))


def test_what_is_only_traced_has_no_values() -> None:
    x, y = random(100, 100), random(2, 2, 100, 16)

    def network(x: mx.array, y: mx.array) -> mx.array:
        turned = mx.fast.rope(y, 16, traditional=False, base=1e4, scale=1.0, offset=3)
        y = mx.fast.scaled_dot_product_attention(turned, turned, y, scale=0.25)
        return mx.sin(x).sum() + mx.softmax(x, axis=0).sum() + mx.logaddexp(x, 0.0).sum() + y.sum()

    mapped = mx.vmap(network)(x[None], y[None])
    same(mapped[0], network(x, y), rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 5, 16), (2, 1, 1, 16), (2, 7, 16), (1, 2, 4, 6, 16)])
@pytest.mark.parametrize("neighbours", [True, False])
def test_rotations_equal_the_original(shape: tuple[int, ...], neighbours: bool) -> None:
    x = random(*shape)
    for width, offset, scale in itertools.product((16, 8), (0, 3, mx.array(4), mx.array([4] * shape[0])), (1.0, 0.5)):
        settings: dict[str, Any] = {"traditional": neighbours, "base": 1e4, "scale": scale, "offset": offset}
        same(rotary.rope(x, width, **settings), rotary.ORIGINAL(x, width, **settings))


def test_rotations_by_frequencies_and_of_other_types_go_to_the_original() -> None:
    x, turns = random(2, 3, 5, 16), random(8) + 4.0
    settings: dict[str, Any] = {"traditional": False, "scale": 1.0, "offset": 3}
    by_turns = {**settings, "base": None, "freqs": turns}
    same(rotary.rope(x, 16, **by_turns), rotary.ORIGINAL(x, 16, **by_turns))
    with pytest.raises(ValueError, match="base"):
        rotary.rope(x, 16, **(by_turns | {"base": 1e4}))
    assert rotary.rope(x.astype(mx.float16), 16, base=1e4, **settings).dtype == mx.float16


@pytest.mark.parametrize("neighbours", [True, False])
def test_rows_turn_by_positions_of_their_own(neighbours: bool) -> None:
    x, at = random(3, 2, 4, 16), mx.array([5, 0, 9])
    expected = rotary.ORIGINAL(x, 16, traditional=neighbours, base=1e4, scale=1.0, offset=at)
    same(turn_from(at, 4, 16, 1e4, neighbours=neighbours)(x), expected)


MASKS: dict[str, Any] = {
    "none": lambda q, k: None,
    "causal": lambda q, k: "causal",
    "bools": lambda q, k: random(q.shape[2], k.shape[2]) > -0.5,
    "bools of a row": lambda q, k: random(len(q), 1, q.shape[2], k.shape[2]) > -0.5,
    "numbers of places": lambda q, k: random(len(q), 1, 1, k.shape[2]),
    "numbers of heads": lambda q, k: random(q.shape[1], q.shape[2], k.shape[2]),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("heads", "shared", "length", "places"), [(4, 4, 100, 100), (6, 2, 70, 130), (2, 1, 1, 9000)])
def test_attention_equals_the_original(mask: str, heads: int, shared: int, length: int, places: int) -> None:
    q, k = random(2, length, heads, 32).swapaxes(1, 2), random(2, places, shared, 32).swapaxes(1, 2)
    v = random(2, shared, places, 24)
    settings: dict[str, Any] = {"scale": 0.2, "mask": MASKS[mask](q, k)}
    same(attention.fused(q, k, v, **settings), attention.ORIGINAL(q, k, v, **settings), atol=2e-5)
    halves = [one.astype(mx.float16) for one in (q, k, v)]
    assert attention.fused(*halves, scale=0.2).dtype == mx.float16
