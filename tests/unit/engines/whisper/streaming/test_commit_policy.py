"""When live words are committed."""

from __future__ import annotations

import pytest

from speechmlx.engines.whisper.streaming.commit_policy import AttendedWord, alignatt, local_agreement, repeated, unheard


def words(*said: tuple[str, int], confidence: float = 0.6) -> list[AttendedWord]:
    return [
        AttendedWord(text, (index,), place, place, place + 5, confidence) for index, (text, place) in enumerate(said)
    ]


@pytest.mark.parametrize(
    ("heard", "places", "count"),
    [
        ([], 100, 0),
        (words((" one", 10), (" two", 60), (" three", 90)), 100, 2),
        (words((" one", 10), (" two", 80), (" three", 90)), 100, 1),
        (words((" one", 10), (" two", 60), (" three", 90), confidence=0.3), 100, 1),
        (words((" one", 10), (" two", 40)), 100, 2),
        (words((" one", 10), (" two", 60)), 100, 1),
        (words((" one", 10), (" �", 20), (" two", 30)), 100, 1),
    ],
)
def test_alignatt_keeps_off_the_end(heard: list[AttendedWord], places: int, count: int) -> None:
    assert alignatt(heard, [], places) == count


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ([], [" a"], 0),
        ([" a", " b"], [" a", " b", " c"], 2),
        ([" A,", " b"], [" a", " c"], 1),
        ([" x", " b"], [" a", " b"], 0),
        ([" a", " �"], [" a", " �"], 1),
    ],
)
def test_local_agreement_commits_what_two_passes_share(before: list[str], now: list[str], count: int) -> None:
    assert local_agreement(words(*((w, 1) for w in now)), words(*((w, 1) for w in before)), 100) == count


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ([], 0),
        ([" no"] * 8, 7),
        ([" no"] * 3, 2),
        ([" no"] * 2, 0),
        ([" I", " know", " that", " well"] * 3, 8),
        ([" I", " know", " that", " well"] * 2, 4),
        ([" I", " know", " that", " well", " I", " know"], 0),
        ([" so", " Thank", " you."] + [" thank", " you"] * 6, 12),
        (" ever tried ever failed no matter try again fail again fail better".split(" "), 0),
    ],
)
def test_repetition(said: list[str], again: int) -> None:
    assert repeated(said) == again


@pytest.mark.parametrize(
    ("places", "again", "end", "gone"),
    [
        ([], 0, 100, 0),
        ([60, 90, 120], 3, 50, 0),  # each after the one before
        ([60, 61, 62], 3, 50, 0),
        ([60, 90, 60], 3, 50, 1),  # heard where one was said already, and what follows it
        ([20, 30, 40], 3, 50, 3),
        ([20, 60, 30], 1, 50, 1),  # only what repeats is looked at
    ],
)
def test_what_repeats_is_dropped_only_where_it_was_not_heard(
    places: list[int], again: int, end: int, gone: int
) -> None:
    assert unheard(words(*((" no", place) for place in places)), again, end) == gone
