"""English text as it is read aloud."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.reading.pronunciation.normalise import normalise

READ = {
    "Dr. Smith paid $3.50.": "Doctor Smith paid three dollars and fifty cents.",
    "On March 3rd, 1998, and 3/15/2024, and 2024-03-15": (
        "On March third, nineteen ninety eight, and March fifteenth, twenty twenty four, "
        "and March fifteenth, twenty twenty four"
    ),
    "12 March 2001": "the twelfth of March two thousand one",
    "It's 5:30 p.m.; 17:05; 5:00": "It's five thirty P.M; seventeen oh five; five o'clock",
    "-4.5 degrees": "minus four point five degrees",
    "555-1234": "five five five, one two three four",
    "221 Baker St. in St. Louis": "two hundred twenty one Baker Street in Saint Louis",
    "$5 million, $1, £2.05, $0.99, ¥500": (
        "five million dollars, one dollar, two pounds and five pence, ninety nine cents, five hundred yen"
    ),
    "the 1990s and the '80s": "the nineteen nineties and the eighties",
    "10-20 people": "ten to twenty people",
    "1 1/2 miles, 3/4 cup, ½": "one and one half miles, three quarters cup, one half",
    "Henry VIII, World War II": "Henry the eighth, World War two",
    "No. 5, #1, v1.2.3": "number five, number one, v one point two point three",
    "60 mph, 20°C, 5km, 50%": "sixty miles per hour, twenty degrees Celsius, five kilometers, fifty percent",
    "john_doe@example.com": "john underscore doe at example dot com",
    "https://www.example.com/a-b.": "example dot com slash a dash b.",
    "AT&T and/or C++": "AT and T and or C plus plus",
    "e.g. this, etc. and J. R. Smith": "for example this, et cetera and J R Smith",
    "in the U.S. today": "in the U.S today",
    "MP3, B2B": "MP three, B two B",
    "12,345.67": "twelve thousand three hundred forty five point six seven",
    "α and 漢字, Привет 😀": "alpha and Chinese text , Cyrillic text",
    "Wait... what?!": "Wait… what?!",
    "24/7": "twenty four seven",
}


@pytest.mark.parametrize(("text", "words"), READ.items())
def test_normalise(text: str, words: str) -> None:
    assert normalise(text) == words


def test_british_dates_start_with_the_day() -> None:
    assert normalise("3/4/2024", british=True) == "April third, twenty twenty four"
    assert normalise("3/4/2024") == "March fourth, twenty twenty four"


@given(st.text(st.sampled_from("aB1290.,:/-$%€°#&@ ½'\"’stndm") | st.characters(), max_size=40))
def test_whatever_comes_only_words_and_marks_leave(text: str) -> None:
    assert not re.search(r"\d|[$%€#&@/]", normalise(text))


@pytest.mark.parametrize("form", "{}|1.{}|${}|{}%|{}th|{}:30|1/{}|{} May|€{}m|{}kg|-{}|{}s".split("|"))
@pytest.mark.parametrize("digit", ["9", "9,", "٣"])
def test_numbers_without_end_are_read_digit_by_digit(form: str, digit: str) -> None:
    name = "three" if digit == "٣" else "nine"
    assert normalise(form.format(f"{digit * 5000}9")).count(name) in (5000, 5001)
