"""The error rate that tests and benchmarks judge diarization by, on cases that are counted by hand."""

from __future__ import annotations

import pytest
from support.diarization import errors

from speechmlx.types import SpeakerTurn

Turn = tuple[float, float, str]
TRUTH: tuple[Turn, ...] = ((0.0, 4.0, "Ann"), (4.0, 8.0, "Bob"))


def turns(*parts: Turn) -> list[SpeakerTurn]:
    return [SpeakerTurn(*part) for part in parts]


@pytest.mark.parametrize(
    ("truth", "found", "missed", "false", "confused"),
    [
        (TRUTH, TRUTH, 0.0, 0.0, 0.0),
        (TRUTH, ((0.0, 4.0, "1"), (4.0, 8.0, "0")), 0.0, 0.0, 0.0),
        (TRUTH, ((0.0, 8.0, "0"),), 0.0, 0.0, 4.0),
        (TRUTH, ((0.0, 3.0, "0"), (3.0, 8.0, "1")), 0.0, 0.0, 1.0),
        (TRUTH, ((0.0, 4.0, "0"), (4.0, 6.0, "1"), (6.0, 8.0, "2")), 0.0, 0.0, 2.0),
        (TRUTH, ((1.0, 4.0, "0"), (4.0, 9.0, "1")), 1.0, 1.0, 0.0),
        (TRUTH, ((0.0, 4.0, "0"), (4.0, 8.0, "")), 4.0, 0.0, 0.0),
        (TRUTH, (), 8.0, 0.0, 0.0),
        (((0.0, 4.0, "Ann"), (3.0, 5.0, "Bob")), ((0.0, 4.0, "0"), (4.0, 5.0, "1")), 1.0, 0.0, 0.0),
        ((), ((0.0, 1.0, "0"),), 0.0, 1.0, 0.0),
    ],
    ids=str,
)
def test_errors(truth: tuple[Turn, ...], found: tuple[Turn, ...], missed: float, false: float, confused: float) -> None:
    counted = errors(turns(*truth), turns(*found), collar=0.0)
    assert (counted.missed, counted.false, counted.confused) == pytest.approx((missed, false, confused))
    assert counted.speech == pytest.approx(sum(end - start for start, end, _ in truth))


def test_a_collar_and_overlaps_are_left_out() -> None:
    late = turns((0.2, 4.2, "0"), (4.2, 8.0, "1"))
    assert errors(turns(*TRUTH), late).rate == 0.0
    both = turns((0.0, 4.0, "Ann"), (2.0, 6.0, "Bob"))
    one = turns((0.0, 4.0, "0"), (4.0, 6.0, "1"))
    assert errors(both, one).missed == pytest.approx(1.5)
    assert errors(both, one, overlaps=False).rate == 0.0
