"""Dates, weekdays, decades, years and their ranges."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("Jan. 5", "january fifth"),
    ("Sept. 11, 2001", "september eleventh two thousand one"),
    ("March 3–5, 2024", "march third to fifth twenty twenty four"),
    ("Dec 30 – Jan 2", "december thirtieth to january second"),
    ("5 March 2024", "the fifth of march twenty twenty four"),
    ("5-7 May", "the fifth to the seventh of may"),
    ("the 4th of July", "the fourth of july"),
    ("15-Mar-2024", "the fifteenth of march twenty twenty four"),
    ("3/4/2024", "march fourth twenty twenty four"),
    ("12/25/99", "december twenty fifth nineteen ninety nine"),
    ("13/5/2024", "may thirteenth twenty twenty four"),
    ("15.03.2024", "march fifteenth twenty twenty four"),
    ("2024-03-15", "march fifteenth twenty twenty four"),
    ("2024-03-15T10:30:00Z", "march fifteenth twenty twenty four ten thirty u t c"),
    ("2024/01/15", "january fifteenth twenty twenty four"),
    ("on 3/15", "on march fifteenth"),
    ("12/25", "december twenty fifth"),
    ("5/16", "five sixteenths"),
    ("On 9/11", "on nine eleven"),
    ("March 2024", "march twenty twenty four"),
    ("June '24", "june twenty twenty four"),
    ("Jan-Mar 2024", "january to march twenty twenty four"),
    ("Mon-Fri, Sat. and Sun.", "monday to friday saturday and sunday"),
    ("Tues. at 5pm", "tuesday at five p m"),
    ("I sat. The sun was out.", "i sat the sun was out"),
    ("the 1980s", "the nineteen eighties"),
    ("the '90s", "the nineties"),
    ("in his 40s", "in his forties"),
    ("mid-1960s", "mid nineteen sixties"),
    ("the 1800s", "the eighteen hundreds"),
    ("the 2000s", "the two thousands"),
    ("class of '05", "class of oh five"),
    ("1990-95", "nineteen ninety to ninety five"),
    ("2019–2020", "twenty nineteen to twenty twenty"),
    ("500 BC", "five hundred b c"),
    ("AD 79", "a d seventy nine"),
    ("44 B.C.", "forty four b c"),
    ("Q3 2024", "q three twenty twenty four"),
    ("FY24", "fiscal year twenty twenty four"),
    ("05/2024", "may twenty twenty four"),
    ("in Feb. and in Dec.", "in february and in december"),
    ("Jan lives here", "jan lives here"),
    ("may 5 people come", "may five people come"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_dates(text: str, reading: str) -> None:
    assert said(words(text)) == reading


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("3/4/2024", "the third of april twenty twenty four"),
        ("12/25/2024", "the twenty fifth of december twenty twenty four"),
        ("on 3/4", "on the third of april"),
        ("Jan. 5, 2001", "january fifth two thousand and one"),
        ("2024-03-15", "the fifteenth of march twenty twenty four"),
    ],
)
def test_british_dates(text: str, reading: str) -> None:
    assert said(words(text, british=True)) == reading
