"""A token launched while the one before it is computed copies no keys and values, and leaves nothing to compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten
from support import graph

from speechmlx.engines.lm.decoder import Decoder
from speechmlx.engines.lm.kv_cache import evaluate, new_cache
from speechmlx.engines.lm.library import load_module
from speechmlx.engines.lm.sampling import Sampler, new_sampler

SIZES = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "vocab_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
}
"""The keys and values of 256 tokens, for which mlx-lm makes room, are far more than all else of a step."""


@dataclass(eq=False)
class Line:
    tokens: list[int]
    sampler: Sampler
    cache: list[Any] | None
    last: int = 1000
    ahead: int | None = None


def network() -> nn.Module:
    llama = load_module("models.llama")
    mx.random.seed(0)
    model: nn.Module = llama.Model(llama.ModelArgs.from_dict(SIZES))
    mx.eval(model.parameters())
    return model


class Counting(nn.Module):  # type: ignore[misc]
    """A network with a layer that no token depends on: it counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def make_cache(self) -> list[Any]:
        caches = load_module("models.cache")
        counter = caches.ArraysCache(1)
        counter[0] = mx.zeros((1, 1))
        return [*new_cache(self.network), caches.CacheList(caches.KVCache(), counter)]

    def __call__(self, tokens: mx.array, cache: list[Any]) -> mx.array:
        layers, (keys, counter) = cache[:-1], cache[-1].caches
        counter[0] = counter[0] + tokens.shape[1]
        rows = mx.ones((len(tokens), 1, tokens.shape[1], 1))
        seen = keys.update_and_fetch(rows, rows)
        return self.network(tokens, cache=layers) + 0 * (seen[0].sum() + seen[1].sum())


def lines(model: nn.Module, count: int) -> list[Line]:
    made = []
    for number in range(count):
        prompt, cache = list(range(number, 2 * number + 5)), new_cache(model)
        model(mx.array([prompt[:-1]]), cache=cache)
        evaluate(cache)
        made.append(Line(prompt, new_sampler(0.0, 1.0, None, seed=0), cache))
    return made


def step(decoder: Decoder[Line], rows: list[Line]) -> None:
    for row, token in decoder.step(rows):
        row.tokens.append(token)


def arrays(tree: Any) -> list[mx.array]:
    return [leaf for _, leaf in tree_flatten(tree) if isinstance(leaf, mx.array)]


class Holding:
    """`async_eval` as Metal does it: what it is given is held until its step has ended, after the next is launched."""

    def __init__(self) -> None:
        self.taken = 0
        """Bytes, at most, that the last launch needed."""
        self._held: list[mx.array] = []

    def __call__(self, *trees: Any) -> None:
        mx.synchronize()
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        mx.eval(*trees)
        self.taken = mx.get_peak_memory() - before
        self._held = [mx.stop_gradient(one) for one in arrays(trees)]  # other arrays, of the same memory
        mx.eval(self._held)


def bytes_of(decoder: Decoder[Line]) -> int:
    return sum(layer.keys.nbytes + layer.values.nbytes for layer in decoder._batch.cache)


@pytest.mark.parametrize("count", [1, 3])
def test_no_keys_and_values_are_copied(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, holding = network(), Holding()
    rows, decoder = lines(model, count), Decoder[Line](model, pipelined=True)
    monkeypatch.setattr(mx, "async_eval", holding)
    for _ in range(3):
        step(decoder, rows)
    assert holding.taken < bytes_of(decoder) / 10


def test_what_is_held_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the test above would see it."""
    model, holding = network(), Holding()
    rows, decoder = lines(model, 3), Decoder[Line](model, pipelined=True)
    monkeypatch.setattr(mx, "async_eval", lambda *trees: holding(*trees, [one.state for one in decoder._batch.cache]))
    for _ in range(3):
        step(decoder, rows)
    assert holding.taken > bytes_of(decoder) * 0.9


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("make", [network, Counting])
def test_nothing_stays_to_be_computed(make: Callable[[], nn.Module], count: int) -> None:
    model = make()
    rows, decoder = lines(model, count), Decoder[Line](model, pipelined=True)
    for _ in range(3):
        step(decoder, rows)
        assert not graph.kernels(*arrays([vars(layer) for layer in _layers(decoder._batch.cache)]))


def _layers(cache: list[Any]) -> list[Any]:
    return [one for layer in cache for one in (_layers(layer.caches) if hasattr(layer, "caches") else [layer])]
