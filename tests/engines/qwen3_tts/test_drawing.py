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


def draw(*rows: tuple[float, int, float], most: int | None = None) -> Draw:
    return Draw.of(rows, most)


def chosen(logits: mx.array, wish: Draw, chance: mx.array) -> mx.array:
    return choose(logits, wish, chance * wish.luck)


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


@pytest.mark.parametrize("most", [None, 128])
@pytest.mark.parametrize("stored", STORED, ids=lambda one: f"{one['temperature']}-{one['top_k']}-{one['top_p']}")
def test_even_chances_give_the_reference_s_shares(stored: dict[str, Any], most: int | None) -> None:
    count = 4000
    wish = draw(*[(stored["temperature"], stored["top_k"], stored["top_p"])] * count, most=most)
    chance = mx.array(((np.arange(count) + 0.5) / count).astype(np.float32))
    tokens = np.array(chosen(mx.broadcast_to(scores(stored), (count, 200)), wish, chance))
    found = {
        int(token): float(number) / count for token, number in zip(*np.unique(tokens, return_counts=True), strict=True)
    }
    expected = {int(token): share for token, share in stored["shares"].items()}
    assert set(found) <= set(expected)
    assert all(found.get(token, 0) == pytest.approx(share, abs=2 / count) for token, share in expected.items())


def test_each_row_has_settings_of_its_own() -> None:
    logits = mx.array([[0.0, 1.0, 2.0, 3.0]] * 4)
    rows = draw((0.0, 4, 1.0), (1.0, 1, 1.0), (1.0, 4, 1e-6), (1.0, 4, 1.0))
    assert np.array(chosen(logits, rows, mx.array([0.9, 0.9, 0.9, 0.9999]))).tolist() == [3, 3, 3, 0]


def test_the_highest_chance_draws_the_last_that_may_be_drawn() -> None:
    below_one = 1 - 2.0**-24
    logits = mx.array([[5.0, -mx.inf, 1.0, -mx.inf, 3.0]])
    assert chosen(logits, draw((1.0, 100, 1.0)), mx.array([below_one])).item() == 2
    assert chosen(logits, draw((1.0, 100, 1.0)), mx.array([0.0])).item() == 0


def test_equally_likely_tokens_at_the_edge_stay() -> None:
    logits = mx.array([[1.0, 2.0, 1.0, 0.0]])
    chances = mx.array(((np.arange(50) + 0.5) / 50).astype(np.float32))
    tokens = chosen(mx.broadcast_to(logits, (50, 4)), draw(*[(1.0, 2, 1.0)] * 50), chances)
    assert set(np.array(tokens).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("most", [None, 128])
def test_a_row_draws_the_same_beside_any_other(most: int | None) -> None:
    """Also of equally likely tokens, and whether the others have a nucleus or not."""
    logits = mx.array(np.round(np.random.default_rng(0).standard_normal((1, 300)) * 9).astype(np.float32))
    row, others = (9.0, 50, 1.0), [(1.0, 2, 0.5), (1.0, 300, 1.0), (0.0, 1, 1.0)]
    for chance in np.linspace(0, 0.999, 30).tolist():
        alone = chosen(logits, draw(row, most=most), mx.array([chance])).item()
        for other in others:
            both = chosen(mx.repeat(logits, 2, axis=0), draw(other, row, most=most), mx.array([0.3, chance]))
            assert both[1].item() == alone


def test_the_likeliest_is_the_first_of_equals() -> None:
    logits = mx.array(np.random.default_rng(1).integers(0, 3, (50, 300)).astype(np.float32))
    for most in (None, 128):
        wish = draw(*[(0.0, 50, 0.9)] * 50, most=most)
        assert mx.array_equal(chosen(logits, wish, mx.full((50,), 0.9)), mx.argmax(logits, axis=-1))


def test_a_temperature_of_almost_nothing_takes_the_likeliest() -> None:
    wish = draw((1e-39, 50, 1.0), (1e-6, 2, 0.5))
    assert chosen(mx.array([[3.0, 1.0, 9.0, 2.0]] * 2), wish, mx.array([0.9, 0.9])).tolist() == [2, 2]
