"""Plain numbers, ordinals, years, ranges, digits after a keyword."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("1,000", "one thousand"),
    ("1 000 000", "one million"),
    ("12,34,567", "one million two hundred thirty four thousand five hundred sixty seven"),
    ("1.000.000", "one million"),
    ("1000000", "one million"),
    ("0.5", "zero point five"),
    (".5", "point five"),
    ("-5", "minus five"),
    ("−12", "minus twelve"),
    ("–3", "minus three"),
    ("+5", "plus five"),
    ("007", "zero zero seven"),
    ("1st", "first"),
    ("the 1,000th visitor", "the one thousandth visitor"),
    ("21st-century", "twenty first century"),
    ("1st-3rd", "first to third"),
    ("5-10", "five to ten"),
    ("50-50", "fifty fifty"),
    ("4-8-2", "four eight two"),
    ("pages 10 - 15", "pages ten to fifteen"),
    ("10 - 3 = 7", "ten minus three equals seven"),
    ("42+", "forty two plus"),
    ("#1", "number one"),
    ("No. 5", "number five"),
    ("1.5 million", "one point five million"),
    ("10k steps", "ten thousand steps"),
    ("2M users", "two million users"),
    ("in 1066", "in ten sixty six"),
    ("1500 people", "fifteen hundred people"),
    ("1450 calories", "one thousand four hundred fifty calories"),
    ("by 2030", "by twenty thirty"),
    ("PIN 4821", "pin four eight two one"),
    ("code is 482-913", "code is four eight two nine one three"),
    ("order #12345", "order number one two three four five"),
    ("room 204", "room two oh four"),
    ("Boeing 747", "boeing seven forty seven"),
    ("RTX 4090", "r t x forty ninety"),
    ("the 5's", "the fives"),
    ("100's of people", "hundreds of people"),
    ("A-Z", "a to z"),
    ("~50", "about fifty"),
    ("9 × 2", "nine times two"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_cardinals(text: str, reading: str) -> None:
    assert said(words(text)) == reading


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("150", "one hundred and fifty"),
        ("1,005", "one thousand and five"),
        ("101st", "one hundred and first"),
        ("£1,250 and 50p", "one thousand two hundred and fifty pounds and fifty pence"),
    ],
)
def test_british_numbers(text: str, reading: str) -> None:
    assert said(words(text, british=True)) == reading
