"""Fractions, ratings, ratios, odds."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("1/2", "one half"),
    ("1/3", "one third"),
    ("3/4", "three quarters"),
    ("5/8", "five eighths"),
    ("15/16", "fifteen sixteenths"),
    ("15/37", "fifteen over thirty seven"),
    ("3 1/2", "three and a half"),
    ("10½", "ten and a half"),
    ("¾", "three quarters"),
    ("3/8ths", "three eighths"),
    ("4.5/5", "four point five out of five"),
    ("8/10", "eight out of ten"),
    ("3/5 stars", "three out of five stars"),
    ("7/10", "seven out of ten"),
    ("50/50", "fifty fifty"),
    ("20/20", "twenty twenty"),
    ("120/80", "one hundred twenty over eighty"),
    ("BP 118/76", "b p one hundred eighteen over seventy six"),
    ("3:1", "three to one"),
    ("16:9", "sixteen to nine"),
    ("50:50", "fifty fifty"),
    ("odds of 5/1", "odds of five to one"),
    ("4/4 time", "four four time"),
    ("10/2=5", "ten divided by two equals five"),
    ("4.8★", "four point eight stars"),
    ("1/100", "one one hundredth"),
    ("I scored 5/5", "i scored five out of five"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_fractions(text: str, reading: str) -> None:
    assert said(words(text)) == reading
