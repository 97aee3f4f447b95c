"""Roman numerals, and capitals that are none."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("Article II", "article two"),
    ("Chapter IV", "chapter four"),
    ("Episode V", "episode five"),
    ("Act I", "act one"),
    ("Chapters I-III", "chapters one to three"),
    ("Henry VIII", "henry the eighth"),
    ("Louis XIV's", "louis the fourteenth's"),
    ("King George V", "king george the fifth"),
    ("Malcolm X", "malcolm x"),
    ("World War II", "world war two"),
    ("WWII", "world war two"),
    ("MMXXIV", "twenty twenty four"),
    ("Super Bowl LVIII", "super bowl fifty eight"),
    ("Rocky IV", "rocky four"),
    ("John Smith III", "john smith the third"),
    ("XIX century", "nineteenth century"),
    ("Act III, Scene ii", "act three scene two"),
    ("(iv)", "four"),
    ("Chapter Ⅳ", "chapter four"),
    ("I am", "i am"),
    ("Vitamin C", "vitamin c"),
    ("MIX it", "mix it"),
    ("a CD", "a c d"),
    ("the DC", "the d c"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_roman(text: str, reading: str) -> None:
    assert said(words(text)) == reading
