"""How ChatTTS draws: what may be drawn, the penalty, and that the first token is none that ends."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from speechmlx.engines.chattts.drawing import DrawingRows, DrawingRule, choose, counted, kept


def rows(rule: DrawingRule, count: int = 1, chance: float = 0.5, young: bool = False) -> DrawingRows:
    return DrawingRows.of([rule] * count, np.full((count, 1), chance, np.float32), [young] * count)


def left(logits: list[float], rule: DrawingRule) -> set[int]:
    order, scores = kept(mx.array([logits]), rows(rule), None)
    return {int(token) for token, score in zip(np.array(order)[0], np.array(scores)[0], strict=True) if score > -np.inf}


@pytest.mark.parametrize(
    ("top_p", "top_k", "found"),
    [
        (1.0, 9, {0, 1, 2, 3, 4, 5}),
        (0.9, 9, {0, 1, 2, 3}),
        (1.0, 4, {0, 1, 2, 3}),
        (0.1, 9, {0, 1, 2}),  # three at least
        (1.0, 1, {0, 1, 2}),
    ],
)
def test_what_may_be_drawn(top_p: float, top_k: int, found: set[int]) -> None:
    logits = np.log([0.4, 0.25, 0.2, 0.1, 0.03, 0.02]).tolist()
    assert left(logits, DrawingRule(1.0, top_p, top_k, 1.0)) == found


def test_chance_goes_through_what_may_be_drawn() -> None:
    rule = DrawingRule(1.0, 0.8, 9, 1.0)  # 0.4, 0.25, 0.2
    logits = mx.log(mx.array([[0.1, 0.4, 0.03, 0.25, 0.02, 0.2]]))
    drawn = [choose(logits, rows(rule, chance=c), end=9).item() for c in (0.0, 0.46, 0.48, 0.75, 0.77, 0.9999999)]
    assert drawn == [1, 1, 3, 3, 5, 5]


def test_the_first_token_is_none_that_ends() -> None:
    logits = mx.array([[5.0, 1.0, 0.9, 0.0]])
    rule = DrawingRule(0.3, 0.7, 20, 1.0)
    assert choose(logits, rows(rule), end=0).item() == 0
    assert choose(logits, rows(rule, young=True), end=0).item() == 1
    assert choose(logits, rows(rule, chance=0.99, young=True), end=0).item() == 2


def test_the_penalty_counts_the_last_frames_of_each_group() -> None:
    frames = [(1, 0), *[(2, 1)] * 15]
    counts = counted([frames, [], []], mx.array([[2, 3], [0, 0], [-1, -1]]), 4)
    assert counts.tolist() == [[0, 0, 16, 0], [0, 15, 0, 1], *[[1, 0, 0, 0]] * 2, *[[0] * 4] * 2]
    rule = DrawingRule(1.0, 1.0, 9, 1.1)
    order, scores = kept(mx.array([[-1.0, 2.0, 3.0]]), rows(rule), mx.array([[1.0, 2.0, 0.0]]))
    assert order.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(np.array(scores), [[3, 2 / 1.21, -1.1]], rtol=1e-6)


def test_the_rules_of_rows_are_their_own() -> None:
    cold, hot = DrawingRule(0.01, 1.0, 9, 1.0), DrawingRule(2.0, 1.0, 9, 1.0)
    chance = np.full((2, 2), 0.99, np.float32)
    logits = mx.array([[1.0, 0.5, 0.0, 0.2]] * 4)
    drawn = choose(logits, DrawingRows.of([cold, hot], chance, [False, False], each=2), end=9)
    assert drawn.tolist() == [0, 0, 2, 2]
