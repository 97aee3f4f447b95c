"""The place that a token attends to, found on the device for several rows at once, as numpy finds it for one."""

from __future__ import annotations

from itertools import permutations

import mlx.core as mx
import numpy as np
import pytest
from support.graph import kernels
from support.plain_mlx import plain_mlx

from speechmlx.engines.whisper.streaming import attention
from speechmlx.engines.whisper.streaming.attention import AttentionTracker

PLACES = 300


def scores(place: int, places: int = PLACES) -> np.ndarray:
    """Scores [heads, places] of two heads that attend to `place`."""
    found = np.zeros((2, places), np.float32)
    found[:, max(0, place - 4) : place + 5] = 8.0
    found[:, place] = 9.0
    return found


def tracked(prompt: np.ndarray, compiles: bool = False) -> AttentionTracker:
    return AttentionTracker(mx.array(prompt)[None], compiles)


def place(tracker: AttentionTracker) -> list[int]:
    return np.array(tracker.places()).tolist()


def reference(tokens: np.ndarray) -> int:
    """The place of the last of `tokens` [heads, tokens, places], by numpy and for all tokens at once."""
    weights = np.exp(tokens.astype(np.float64))
    weights /= weights.sum(axis=-1, keepdims=True)
    z = (weights[:, -1] - weights.mean(axis=1)) / np.sqrt(np.maximum(weights.var(axis=1), 1e-12))
    padded = np.pad(z, ((0, 0), (3, 3)), mode="reflect")
    smooth = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7, axis=-1), axis=-1)
    return int(smooth.mean(axis=0).argmax())


@pytest.mark.parametrize("places", [[10], [10, 60, 110, 200], [200, 150, 100]])
def test_the_place_of_the_newest_token(places: list[int]) -> None:
    tracker = tracked(np.zeros((2, 3, PLACES), np.float32))
    for at in places:
        tracker.add(mx.array(scores(at))[None])
        assert place(tracker)[0] == pytest.approx(at, abs=4)


def test_attention_that_all_tokens_pay_is_no_place() -> None:
    everywhere = scores(20)
    tracker = tracked(np.repeat(everywhere[:, None], 5, axis=1))
    tracker.add(mx.array(np.maximum(everywhere, scores(150) - 2))[None])
    assert place(tracker)[0] == pytest.approx(150, abs=4)


@pytest.mark.parametrize("compiles", [False, True])
def test_rows_that_come_and_go_are_as_numpy_finds_each_alone(compiles: bool) -> None:
    draw = np.random.default_rng(5)
    rows: list[np.ndarray] = []  # [heads, tokens, places] each
    tracker: AttentionTracker | None = None

    def join(places: int, prompt: int) -> None:
        nonlocal tracker
        rows.append(draw.normal(0, 2, (3, prompt, places)).astype(np.float32))
        alone = tracked(rows[-1], compiles)
        assert place(alone) == [reference(rows[-1])]
        if tracker is None:
            tracker = alone
        else:
            tracker.join(alone)

    def step() -> None:
        assert tracker is not None
        widest = max(row.shape[-1] for row in rows)
        new = draw.normal(0, 2, (len(rows), 3, widest)).astype(np.float32)  # beyond a row's audio is anything
        for index, row in enumerate(rows):
            rows[index] = np.concatenate([row, new[index, :, None, : row.shape[-1]]], axis=1)
        tracker.add(mx.array(new))
        assert place(tracker) == [reference(row) for row in rows]

    join(40, 3)
    step()
    join(64, 4)
    step()
    join(20, 7)
    for _ in range(10):
        step()
    assert tracker is not None
    tracker.leave(1)
    rows[1] = rows.pop()
    step()
    join(50, 4)
    step()
    tracker.leave(2)
    rows.pop()
    step()


def test_compiled_a_token_is_ten_kernels() -> None:
    """Where audio differs in length, with one for the median, whose exchanges are 21."""
    with plain_mlx(compiled=True):
        tracker = tracked(np.zeros((2, 3, PLACES), np.float32), compiles=True)
        tracker.join(tracked(np.zeros((2, 3, 40), np.float32)))
        mx.eval(tracker._state, zeros := mx.zeros((2, 2, PLACES)))
        tracker.add(zeros)
        counts = kernels(tracker.places())
    assert counts.total() == 10, counts


def test_the_median_of_seven_in_any_order() -> None:
    orders = np.array(list(permutations(range(7))), np.float32)
    found = attention._median(*(mx.array(orders[:, index]) for index in range(7)))
    assert (np.array(found) == 3).all()
