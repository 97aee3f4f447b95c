"""Times of the day, zones, ranges, durations."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("9:00", "nine o'clock"),
    ("17:00", "seventeen hundred"),
    ("17:45", "seventeen forty five"),
    ("9:05 a.m.", "nine oh five a m"),
    ("3:00 PM EST", "three p m e s t"),
    ("5pm", "five p m"),
    ("5.30pm", "five thirty p m"),
    ("12:00 AM", "twelve a m"),
    ("00:15", "zero fifteen"),
    ("9am-5pm", "nine a m to five p m"),
    ("9:00-17:00", "nine to seventeen hundred"),
    ("9-11am", "nine to eleven a m"),
    ("10:30-11:45am", "ten thirty to eleven forty five a m"),
    ("7–9:30 pm", "seven to nine thirty p m"),
    ("14:00 UTC", "fourteen hundred u t c"),
    ("9am GMT+1", "nine a m g m t plus one"),
    ("UTC-5", "u t c minus five"),
    ("1h 30m", "one hour thirty minutes"),
    ("2h 5m", "two hours five minutes"),
    ("1h30", "one hour thirty"),
    ("3d 4h", "three days four hours"),
    ("1 hr 20 min", "one hour twenty minutes"),
    ("0600 hours", "zero six hundred hours"),
    ("1430 hrs", "fourteen thirty hours"),
    ("24/7", "twenty four seven"),
    ("10:15:30", "ten fifteen thirty"),
    ("12:35.36", "twelve thirty five point three six"),
    ("60s, 90s", "sixty seconds ninety seconds"),
    ("It is 9:30PM.", "it is nine thirty p m"),
    ("16:9 screen", "sixteen to nine screen"),
    ("a ratio of 3:02", "a ratio of three to two"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_times(text: str, reading: str) -> None:
    assert said(words(text)) == reading
