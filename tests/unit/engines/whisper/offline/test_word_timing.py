"""Word timing: the path through the attention, and punctuation put where it belongs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from speechmlx.engines.whisper.offline.word_timing import (
    AlignedWord,
    cheapest_path,
    joined_punctuation,
    spaced,
    trimmed,
)


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


def timed(*words: tuple[str, float, float]) -> list[AlignedWord]:
    return [AlignedWord(text, index, index + 1, start, end) for index, (text, start, end) in enumerate(words)]


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


@pytest.mark.parametrize(
    ("given", "after", "until", "expected"),
    [
        # From the next word, from the pause after it, from the end.
        ([(0, 1), (1, 1), (1, 2)], 0, 9, [(0, 1), (1, 1.02), (1.02, 2)]),
        ([(0, 1), (1, 1), (1.5, 2)], 0, 9, [(0, 1), (1, 1.02), (1.5, 2)]),
        ([(0, 1), (1, 1)], 0, 1, [(0, 0.98), (0.98, 1)]),
        # Several at one place, and one that would begin before what came before the window has ended.
        ([(3, 3), (3, 3), (3, 3), (3, 4)], 0, 9, [(3, 3.02), (3.02, 3.04), (3.04, 3.06), (3.06, 4)]),
        ([(0, 0.5), (0.5, 1)], 0.6, 9, [(0.6, 0.62), (0.62, 1)]),
        # No room for a place each.
        ([(0, 0), (0, 0)], 0, 0.03, [(0, 0.015), (0.015, 0.03)]),
        ([], 0, 9, []),
    ],
)
def test_every_word_has_a_length(
    given: list[tuple[float, float]], after: float, until: float, expected: list[tuple[float, float]]
) -> None:
    found = spaced(timed(*(("a", start, end) for start, end in given)), after, until)
    assert [(round(word.start, 4), round(word.end, 4)) for word in found] == expected


@given(st.lists(st.integers(0, 1500), max_size=60), st.integers(0, 1500), st.integers(0, 1500))
def test_words_have_a_length_and_their_order_wherever_they_were_heard(
    borders: list[int], after: int, until: int
) -> None:
    after, until = min(after, until), max(after, until)
    borders.sort()
    words = timed(*(("a", one * 0.02, other * 0.02) for one, other in itertools.pairwise(borders)))
    found = spaced(words, after * 0.02, until * 0.02)
    least = min(0.02, (until - after) * 0.02 / max(1, len(words)))
    assert all(word.end - word.start >= least - 1e-9 for word in found)
    assert all(one.end <= other.start + 1e-9 for one, other in itertools.pairwise(found))
    assert all(after * 0.02 - 1e-9 <= word.start and word.end <= until * 0.02 + 1e-9 for word in found)
