from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.tree import compiled_module, layers, weights


class Cache:
    __module__ = "mlx_audio.imagined"

    def __init__(self) -> None:
        self.offset = 0


class Tokenizer:
    """Of another package."""


class Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self._cache = Cache()
        self._again = self.layers[0]
        self._tokenizer = Tokenizer()
        self._buffers: dict[str, Any] = {"a": [mx.zeros(2)], "b": (1, self._cache)}
        self._kept = OrderedDict(a=[1])
        self._step = self.step
        self._partly = functools.partial(self.step, 3)

    def __call__(self, x: mx.array) -> mx.array:
        return self.layers[1](self.layers[0](x))

    def step(self, by: int = 1) -> int:
        self._cache.offset += by
        return self._cache.offset


def test_objects_are_copied_and_arrays_are_shared() -> None:
    net = Net()
    fresh = structural_clone(net)
    assert type(fresh) is Net and fresh is not net
    assert fresh.layers[0] is not net.layers[0] and fresh.layers[0] is fresh._again
    assert fresh.layers[0].weight is net.layers[0].weight
    assert fresh._tokenizer is net._tokenizer
    assert fresh._buffers["a"] is not net._buffers["a"] and fresh._buffers["b"][1] is fresh._cache
    assert fresh._kept == net._kept and fresh._kept is not net._kept and fresh._kept["a"] is not net._kept["a"]
    assert weights(fresh).keys() == weights(net).keys()


def test_state_is_not_shared() -> None:
    net = Net()
    fresh = structural_clone(net)
    assert [fresh._step(), fresh._partly(), fresh.step()] == [1, 4, 5]
    assert net._cache.offset == 0
    fresh.layers[0].weight = mx.ones((2, 2))
    assert net.layers[0].weight is not fresh.layers[0].weight


def test_a_compiled_module_is_found_and_its_clone_is_its_own() -> None:
    net = Net()

    class Holder(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = mx.compile(net)

    holder = Holder()
    assert compiled_module(mx.compile(mx.abs)) is None
    assert compiled_module(holder.inner) is net
    inner = structural_clone(holder).inner
    assert isinstance(inner, Net) and inner is not net
    assert len(layers(net)) == 2
