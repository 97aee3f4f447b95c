"""Short forms that people type, emoticons."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("btw idk", "by the way i don't know"),
    ("imo u r gr8", "in my opinion you are great"),
    ("thx, pls", "thanks please"),
    ("see u l8r", "see you later"),
    ("lol", "l o l"),
    ("FYI", "f y i"),
    ("omg :)", "o m g"),
    ("<3 you", "you"),
    ("it's ok", "it's okay"),
    ("r = 5", "r equals five"),
    (":-D hi", "hi"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_chat(text: str, reading: str) -> None:
    assert said(words(text)) == reading
