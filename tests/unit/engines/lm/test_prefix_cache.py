"""Sequences that go on from the keys and values of ended ones."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import pytest

from speechmlx.engines.lm import prefix_cache
from speechmlx.engines.lm.kv_cache import can_merge, copy_prefix
from speechmlx.engines.lm.library import load_module
from speechmlx.engines.lm.prefix_cache import PrefixCache


def cache(tokens: list[int]) -> list[Any]:
    """Of one layer, whose keys are the tokens."""
    layer = load_module("models.cache").KVCache()
    layer.update_and_fetch(*[mx.array(tokens, mx.float32).reshape(1, 1, -1, 1)] * 2)
    return [layer]


def keys(cache: list[Any]) -> list[int]:
    return [int(key) for key in cache[0].keys[0, 0, : cache[0].offset, 0].tolist()]


def test_the_longest_beginning_is_found() -> None:
    prefixes, long = PrefixCache(), list(range(20))
    prefixes.add(long[:10], cache(long))
    prefixes.add([*long[:15], 99], cache([*long[:15], 99]))
    assert [len(entry.tokens) for entry in prefixes.entries] == [16], "it replaces what it extends"
    prefixes.add([7, *long[:12]], cache([7, *long[:12]]))
    copy, shared = prefixes.find(long) or ([], 0)
    assert (shared, keys(copy)) == (15, long[:15])
    assert prefixes.find(long[:8]) is None, "one token is left to read: seven are shared"
    assert prefixes.find([5] * 30) is None


def test_the_oldest_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefix_cache, "KEPT", 25)
    prefixes = PrefixCache()
    for first in range(4):
        tokens = [first, *range(10)]
        prefixes.add(tokens, cache(tokens))
    assert [entry.tokens[0] for entry in prefixes.entries] == [2, 3]
    for tokens in (list(range(26)), list(range(7))):  # too long, too short
        prefixes.add(tokens, cache(tokens))
    prefixes.add(list(range(20)), None)
    assert [entry.tokens[0] for entry in prefixes.entries] == [2, 3]


def test_a_copy_is_its_own() -> None:
    whole = cache(list(range(10)))
    copy = copy_prefix(whole, 8)
    assert copy is not None
    copy[0].update_and_fetch(*[mx.full((1, 1, 1, 1), 77.0)] * 2)
    assert keys(copy) == [*range(8), 77] and keys(whole) == list(range(10))
    assert copy_prefix(whole, 11) is None


def test_layers_without_a_history_are_not_copied() -> None:
    module = load_module("models.cache")
    layers = [*cache(list(range(10))), module.RotatingKVCache(max_size=4)]
    assert copy_prefix(layers, 8) is None
    assert can_merge(layers) and not can_merge([object()])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_not_kept(bad: float) -> None:
    prefixes, tokens = PrefixCache(), list(range(12))
    broken = cache(tokens)
    broken[0].values[..., 5, :] = bad
    prefixes.add(tokens, broken)
    assert prefixes.entries == []
    prefixes.add(tokens[:5], cache(tokens))
    broken[0].values[..., 5, :] = 0.0
    prefixes.add(tokens, broken)
    assert [len(entry.tokens) for entry in prefixes.entries] == [12]
