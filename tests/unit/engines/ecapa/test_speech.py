"""Stretches of speech in probabilities."""

from __future__ import annotations

import pytest

from speechmlx.engines.ecapa.speech import HANGOVER, LEAD, SpeechFinder, Stretch
from speechmlx.types import Probability

FRAME = 0.032


def found(*runs: tuple[float, int]) -> list[Stretch]:
    """The stretches in runs of (probability, frames)."""
    finder, stretches, at = SpeechFinder(), [], 0
    for value, count in runs:
        for _ in range(count):
            stretches.append(finder.add(Probability(value, at * FRAME, (at + 1) * FRAME)))
            at += 1
    return [stretch for stretch in [*stretches, finder.finish()] if stretch is not None]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], []),
        ([(0.1, 100)], []),
        ([(0.0, 10), (0.9, 10), (0.0, 20)], [(10 * FRAME - LEAD, 20 * FRAME)]),
        ([(0.9, 10)], [(0.0, 10 * FRAME)]),
        ([(0.0, 10), (0.9, 10), (0.0, 5), (0.9, 10)], [(10 * FRAME - LEAD, 35 * FRAME)]),
        ([(0.0, 9), (0.9, 9), (0.0, 12), (0.9, 9)], [(9 * FRAME - LEAD, 18 * FRAME), (30 * FRAME - LEAD, 39 * FRAME)]),
        ([(0.0, 10), (0.9, 5), (0.4, 20), (0.1, 20)], [(10 * FRAME - LEAD, 35 * FRAME)]),
        ([(0.0, 10), (0.4, 50)], []),
        ([(0.0, 10), (0.9, 3), (0.0, 20)], []),
    ],
    ids=str,
)
def test_stretches(runs: list[tuple[float, int]], expected: list[tuple[float, float]]) -> None:
    assert [(stretch.start, stretch.end) for stretch in found(*runs)] == [pytest.approx(pair) for pair in expected]


def test_what_is_surely_no_speech_is_known_soon() -> None:
    finder = SpeechFinder()
    for i in range(60):
        finder.add(Probability(0.9 if 20 <= i < 30 else 0.0, i * FRAME, (i + 1) * FRAME))
        if i < 20 or i >= 30 + HANGOVER / FRAME:
            assert (i + 1) * FRAME - finder.quiet_until <= LEAD + 1e-9
    assert finder.open is None
