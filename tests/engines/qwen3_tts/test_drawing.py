"""What is drawn, against the reference's chain of filters at given logits."""

from __future__ import annotations

import json
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.talker_cases import DATA

from speechmlx.engines.parts.row_draws import Draw, choose, filtered, penalised

STORED: list[dict[str, Any]] = json.loads(DATA.read_text())["draws"]


def draw(*rows: tuple[float, int, float]) -> Draw:
    temperature, top_k, top_p = zip(*rows, strict=True)
    return Draw(mx.array(list(temperature)), mx.array(list(top_k), mx.int32), mx.array(list(top_p)))


def scores(stored: dict[str, Any]) -> mx.array:
    """The logits [1, 200] that the reference was given, with its penalty."""
    logits = np.random.RandomState(stored["top_k"]).standard_normal((1, 200)).astype(np.float32) * 3
    seen = np.zeros((1, 200), np.bool_)
    seen[0, stored["seen"]] = True
    return penalised(mx.array(logits), mx.array(seen), mx.array([stored["penalty"]]))


@pytest.mark.parametrize("stored", STORED, ids=lambda one: f"{one['temperature']}-{one['top_k']}-{one['top_p']}")
def test_it_draws_from_what_the_reference_draws_from(stored: dict[str, Any]) -> None:
    wish = draw((stored["temperature"], stored["top_k"], stored["top_p"]))
    scaled = scores(stored) / stored["temperature"]
    order = np.array(mx.argsort(-scaled, axis=-1))[0]
    shares = np.array(mx.softmax(filtered(mx.take(scaled, mx.array(order), axis=-1), wish), axis=-1))[0]
    found = {int(order[place]): float(share) for place, share in enumerate(shares) if share > 0}
    expected = {int(token): share for token, share in stored["shares"].items()}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("stored", STORED, ids=lambda one: f"{one['temperature']}-{one['top_k']}-{one['top_p']}")
def test_even_chances_give_the_reference_s_shares(stored: dict[str, Any]) -> None:
    count = 4000
    wish = draw(*[(stored["temperature"], stored["top_k"], stored["top_p"])] * count)
    chance = mx.array(((np.arange(count) + 0.5) / count).astype(np.float32))
    tokens = np.array(choose(mx.broadcast_to(scores(stored), (count, 200)), wish, chance))
    found = {
        int(token): float(number) / count for token, number in zip(*np.unique(tokens, return_counts=True), strict=True)
    }
    expected = {int(token): share for token, share in stored["shares"].items()}
    assert set(found) <= set(expected)
    assert all(found.get(token, 0) == pytest.approx(share, abs=2 / count) for token, share in expected.items())


def test_each_row_has_settings_of_its_own() -> None:
    logits = mx.array([[0.0, 1.0, 2.0, 3.0]] * 4)
    rows = draw((0.0, 4, 1.0), (1.0, 1, 1.0), (1.0, 4, 1e-6), (1.0, 4, 1.0))
    assert np.array(choose(logits, rows, mx.array([0.9, 0.9, 0.9, 0.9999]))).tolist() == [3, 3, 3, 0]


def test_the_highest_chance_draws_the_last_that_may_be_drawn() -> None:
    below_one = 1 - 2.0**-24
    logits = mx.array([[5.0, -mx.inf, 1.0, -mx.inf, 3.0]])
    assert choose(logits, draw((1.0, 100, 1.0)), mx.array([below_one])).item() == 2
    assert choose(logits, draw((1.0, 100, 1.0)), mx.array([0.0])).item() == 0


def test_equally_likely_tokens_at_the_edge_stay() -> None:
    logits = mx.array([[1.0, 2.0, 1.0, 0.0]])
    chances = mx.array(((np.arange(50) + 0.5) / 50).astype(np.float32))
    tokens = choose(mx.broadcast_to(logits, (50, 4)), draw(*[(1.0, 2, 1.0)] * 50), chances)
    assert set(np.array(tokens).tolist()) == {0, 1, 2}
