"""Numerals as people write them, Roman ones, and the number words of CLDR."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.languages.numerals import Numeral, digits, known, parse, pattern, roman, words

WRITTEN = [
    (",", "1.234,56", "1234", "56"),
    (",", "1 234,5", "1234", "5"),
    (",", "1'234", "1234", ""),
    (",", "1.234.567", "1234567", ""),
    (",", "1.234", "1234", ""),
    (",", "0.125", "0", "125"),
    (",", "3.5", "3", "5"),
    (",", "12345.678", "12345", "678"),
    (",", "1,234,567", "1234567", ""),
    (",", "1,234.56", "1234", "56"),
    (",", "1,234", "1", "234"),
    (".", "1,234.5", "1234", "5"),
    (".", "1,00,000", "100000", ""),
    (".", "1.234,56", "1234", "56"),
    (".", "3,5", "3", "5"),
    (".", "२,५००", "2500", ""),
]


@pytest.mark.parametrize(("decimal", "text", "whole", "fraction"), WRITTEN)
def test_numerals(decimal: str, text: str, whole: str, fraction: str) -> None:
    found = re.match(pattern(decimal), text)
    assert found and found[0] == text
    number = parse(text, decimal)
    assert (number.whole, number.fraction) == (whole, fraction)


@given(st.integers(0, 10**12), st.sampled_from(".,"))
def test_grouped_and_plain_are_one_number(value: int, decimal: str) -> None:
    group = "." if decimal == "," else ","
    assert parse(f"{value:,}".replace(",", group), decimal) == Numeral(str(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [("IV", 4), ("XIX", 19), ("MMXXIV", 2024), ("XL", 40), ("IIII", None), ("IC", None), ("", None), ("VX", None)],
)
def test_roman(text: str, value: int | None) -> None:
    assert roman(text) == value


def test_digits_of_every_script() -> None:
    assert digits("१२ ٣-4") == "1234"


def test_words_by_gender() -> None:
    assert words(21, "es", "spellout-cardinal-feminine") == "veintiuna"


@pytest.mark.parametrize("code", ["../../x", "", "EN", "e n", "x" * 40])
def test_what_is_no_language_has_no_words(code: str) -> None:
    assert not known(code)
    with pytest.raises(LookupError):
        words(1, "tlh")
