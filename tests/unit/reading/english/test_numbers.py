"""English number words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.english.numbers import (
    LARGEST,
    ONES,
    SCALES,
    TENS,
    cardinal,
    digits,
    number,
    ordinal,
    pairs,
    plural,
    year,
)


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (123, "one hundred twenty three"),
        (1000, "one thousand"),
        (1_000_017, "one million seventeen"),
        (-5, "minus five"),
        (10**18, "one quintillion"),
        (10**33, "one" + " zero" * 33),
    ],
)
def test_cardinal(n: int, words: str) -> None:
    assert cardinal(n) == words


@given(st.integers(0, LARGEST))
def test_cardinals_say_their_number(n: int) -> None:
    """Read back by a grammar written the other way round."""
    total = group = 0
    for word in cardinal(n).split():
        if word in ONES:
            group += ONES.index(word)
        elif word in TENS:
            group += 10 * TENS.index(word)
        elif word == "hundred":
            group *= 100
        else:
            total += group * 1000 ** (1 + SCALES[1:].index(word))
            group = 0
    assert total + group == n


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "first"), (2, "second"), (12, "twelfth"), (20, "twentieth"), (23, "twenty third"), (100, "one hundredth")],
)
def test_ordinal(n: int, words: str) -> None:
    assert ordinal(n) == words


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (1998, "nineteen ninety eight"),
        (1905, "nineteen oh five"),
        (1800, "eighteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2024, "twenty twenty four"),
        (476, "four hundred seventy six"),
    ],
)
def test_year(n: int, words: str) -> None:
    assert year(n) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,234.50", "one thousand two hundred thirty four point five zero"),
        ("-4.5", "minus four point five"),
        (".75", "point seven five"),
        ("007", "zero zero seven"),
        ("0.5", "zero point five"),
    ],
)
def test_number(text: str, words: str) -> None:
    assert number(text) == words


def test_digits_and_plurals() -> None:
    assert digits("555-12") == "five five five one two"
    assert [plural(w) for w in ("twenty", "six", "hundred")] == ["twenties", "sixes", "hundreds"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("204", "two oh four"),
        ("4090", "forty ninety"),
        ("747", "seven forty seven"),
        ("500", "five hundred"),
        ("2000", "two thousand"),
        ("12", "twelve"),
        ("007", "zero zero seven"),
        ("12345", "one two three four five"),
    ],
)
def test_pairs(text: str, words: str) -> None:
    assert pairs(text) == words


def test_british_and() -> None:
    assert cardinal(1_234_567, british=True) == (
        "one million two hundred and thirty four thousand five hundred and sixty seven"
    )
    assert cardinal(1_000_001, british=True) == "one million and one"
    assert ordinal(101, british=True) == "one hundred and first"
