"""What is said again where it is heard, and what only says itself again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.whisper.offline.repeats import APART, follows, unrepeated

NO = [1, 2]
"""A word and its mark."""


@pytest.mark.parametrize(
    ("places", "follow"),
    [
        ([], True),
        ([40], True),
        ([10, 30, 30, 55, 50, 80, 110], True),
        ([10, 30, 60, 20, 80, 90, 100, 120, 130, 150], True),  # one looked elsewhere
        ([10, 60, 20, 70, 15, 66, 12], False),
        ([300, 200, 100], False),
        ([10, 20, 30, 40, 50, 60, 70, 80, 90, 99] * 4, False),
    ],
)
def test_speech_is_heard_one_after_the_other(places: list[int], follow: bool) -> None:
    assert follows(places) is follow


@pytest.mark.parametrize(
    ("tokens", "places", "kept"),
    [
        # Three times in the text, three times in the audio.
        (NO * 3, [20, 60, 90, 130, 160, 200], [0, 1, 2, 3, 4, 5]),
        # The third is heard where the second was.
        (NO * 3, [20, 60, 90, 130, 92, 130], [0, 1, 2, 3]),
        # AttendedWord before what it follows.
        (NO * 3, [20, 60, 90, 130, 30, 60], [0, 1, 2, 3]),
        # Words without a mark between them.
        ([7] * 5, [10, 30, 50, 52, 51], [0, 1, 2]),
        ([5, 6, 7, 8, 5, 6, 7, 8, 9], [10, 20, 30, 40, 11, 20, 30, 40, 12], [0, 1, 2, 3, 8]),
        # What comes after a loop stays.
        ([*NO * 3, 9], [20, 60, 22, 60, 21, 60, 100], [0, 1, 6]),
        ([3, 4, 5], [90, 10, 50], [0, 1, 2]),
        ([], [], []),
    ],
)
def test_only_what_is_heard_again_is_said_again(tokens: list[int], places: list[int], kept: list[int]) -> None:
    assert unrepeated(tokens, places, False) == kept


def test_of_a_text_that_follows_only_what_was_heard_at_one_place_is_said_once() -> None:
    twice = [20, 60, 90, 130, 91, 132]
    assert unrepeated(NO * 3, twice, True) == [0, 1, 2, 3]
    assert unrepeated(NO * 3, [20, 60, 90, 130, 92, 150], True) == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.integers(0, 3), max_size=30), st.data())
def test_what_comes_in_its_time_stays(tokens: list[int], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(APART, 60), min_size=len(tokens), max_size=len(tokens)))
    places = [sum(steps[: index + 1]) for index in range(len(tokens))]
    assert follows(places)
    assert unrepeated(tokens, places, True) == unrepeated(tokens, places, False) == list(range(len(tokens)))
