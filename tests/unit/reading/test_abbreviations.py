"""The one table of abbreviations: their words, what they stand before, and whether their full stop ends a sentence."""

from __future__ import annotations

import re

import pytest

from speechmlx.reading.abbreviations import TABLE, find


@pytest.mark.parametrize(
    ("word", "number_follows", "ends"),
    [
        ("Jan", True, False),
        ("Jan", False, True),
        ("No", True, False),
        ("No", False, True),
        ("p", True, False),
        ("Fig", False, False),
        ("Dr", False, False),
        ("e.g", True, False),
        ("etc", False, True),
        ("etc", True, True),
        ("Hwy", True, False),
        ("max", True, False),
        ("Apt", True, False),
        ("u.s", False, True),
    ],
)
def test_a_full_stop_after_an_abbreviation(word: str, number_follows: bool, ends: bool) -> None:
    found = find(word)
    assert found is not None
    assert found.may_end(number_follows) is ends


def test_words_that_are_no_abbreviation() -> None:
    assert find("milk") is None
    assert find("") is None


def test_two_readings_of_one_spelling() -> None:
    saint, doctor = find("St"), find("Dr")
    assert saint is not None and (saint.words, saint.other, saint.before) == ("saint", "street", "name")
    assert doctor is not None and (doctor.words, doctor.other, doctor.before) == ("doctor", "drive", "name")


def test_every_row_is_words() -> None:
    for spelling, row in TABLE.items():
        assert spelling == spelling.lower().strip(" .")
        assert re.fullmatch(r"[a-z' ]*", row.words + row.other), spelling
        assert row.before in ("", "name", "number")
