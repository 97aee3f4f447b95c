"""Word timing: the path through the attention, and punctuation put where it belongs."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from speechmlx.engines.whisper.align import Timed, cheapest_path, joined_punctuation, trimmed


def brute_force(cost: np.ndarray) -> float:
    """The least sum over all monotonic paths from corner to corner."""
    n, m = cost.shape
    best = np.full((n, m), np.inf)
    for i, j in itertools.product(range(n), range(m)):
        before = [best[a, b] for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
        best[i, j] = cost[i, j] + (min(before) if before else 0)
    return float(best[-1, -1])


@settings(deadline=None)
@given(
    st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(1, 8), st.integers(1, 12)),
        elements=st.floats(-4, 4, width=16),
    )
)
def test_path_is_monotonic_whole_and_cheapest(cost: np.ndarray) -> None:
    rows, columns = cheapest_path(cost)
    assert (rows[0], columns[0]) == (0, 0) and (rows[-1], columns[-1]) == (cost.shape[0] - 1, cost.shape[1] - 1)
    steps = set(zip(np.diff(rows).tolist(), np.diff(columns).tolist(), strict=True))
    assert steps <= {(0, 1), (1, 0), (1, 1)}
    assert np.isclose(cost[rows, columns].sum(), brute_force(cost), atol=1e-3)


def test_path_follows_a_diagonal() -> None:
    cost = np.ones((4, 8), np.float32)
    cost[np.arange(8) // 2, np.arange(8)] = 0
    rows, columns = cheapest_path(cost)
    assert columns[np.diff(rows, prepend=-1) > 0].tolist() == [0, 2, 4, 6]


def timed(*words: tuple[str, float, float]) -> list[Timed]:
    return [Timed(text, index, index + 1, start, end) for index, (text, start, end) in enumerate(words)]


def test_punctuation_joins_its_word() -> None:
    found = joined_punctuation(
        timed((' "', 0, 0.1), ("Well", 0.1, 0.4), (",", 0.4, 0.5), (" yes", 0.5, 1), ("!", 1, 2))
    )
    assert [(word.text, word.first, word.last, word.start, word.end) for word in found] == [
        (' "Well,', 0, 3, 0.1, 0.4),
        (" yes!", 3, 5, 0.5, 1),
    ]


def test_the_pause_between_sentences_belongs_to_no_word() -> None:
    found = trimmed(timed((" One", 0, 0.3), (" two.", 0.3, 0.6), (" Three", 0.6, 5.0), (" four", 5.0, 5.3)))
    assert [(word.start, word.end) for word in found] == [(0, 0.3), (0.3, 0.6), (4.4, 5.0), (5.0, 5.3)]
