"""Roman numerals as numbers, and what is none."""

from __future__ import annotations

import pytest

from speechmlx.reading import roman


@pytest.mark.parametrize(
    ("numeral", "number"),
    [("I", 1), ("IV", 4), ("IX", 9), ("XIV", 14), ("MCMXCIV", 1994), ("MMXXIV", 2024)],
)
def test_a_numeral(numeral: str, number: int) -> None:
    assert roman.value(numeral) == number


@pytest.mark.parametrize("text", ["", "IIII", "VX", "IC", "iv", "A", "MMMM", "IVI"])
def test_no_numeral(text: str) -> None:
    assert roman.value(text) is None
