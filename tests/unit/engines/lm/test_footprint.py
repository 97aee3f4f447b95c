"""The memory of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import pytest

from speechmlx.engines.lm.footprint import STEP, Unlimited, batch_bytes, bytes_per_token
from speechmlx.engines.lm.kv_cache import new_cache
from speechmlx.engines.lm.library import load_module

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "intermediate_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": 50,
}


def llama(**changes: Any) -> Any:
    module = load_module("models.llama")
    return module.Model(module.ModelArgs.from_dict(CONFIG | changes))


@pytest.mark.parametrize(
    ("changes", "heads", "width"),
    [({}, 2, 16), ({"num_key_value_heads": 4}, 4, 16), ({"head_dim": 32}, 2, 32)],
)
def test_a_token_takes_what_the_configuration_says(changes: dict[str, Any], heads: int, width: int) -> None:
    model = llama(**changes)
    assert bytes_per_token(model) == 2 * 3 * heads * width * 4
    model.set_dtype(mx.float16)
    assert bytes_per_token(model) == 2 * 3 * heads * width * 2


@pytest.mark.parametrize("tokens", [1, 200, 256, 300])
def test_a_sequence_never_takes_more_than_is_counted(tokens: int) -> None:
    model, cache = llama(), new_cache(llama())
    for start in range(0, tokens, 70):
        model(mx.zeros((1, min(70, tokens - start)), mx.int32), cache=cache)
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache)
    assert held <= batch_bytes(bytes_per_token(model), [tokens])


@pytest.mark.parametrize(
    ("lengths", "rows", "longest"), [([], 0, 0), ([10], 1, 10), ([10, 500, 20], 3, 500), ([0], 1, 0)]
)
def test_rows_of_a_batch_are_as_long_as_the_longest(lengths: Sequence[int], rows: int, longest: int) -> None:
    assert batch_bytes(7, lengths) == rows * (longest + (STEP if rows else 0)) * 7


def test_an_engine_of_its_own_has_no_limit() -> None:
    room = Unlimited()
    room.claim(1 << 60)
    assert room.most == room.reachable == room.free > 1 << 60
