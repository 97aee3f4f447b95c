"""Chapter and verse."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("John 3:16", "john three sixteen"),
    ("Gen. 1:1-3", "genesis one one to three"),
    ("1 Cor. 13:4", "first corinthians thirteen four"),
    ("Ps. 23", "psalm twenty three"),
    ("II Kings 2:1", "second kings two one"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_scripture(text: str, reading: str) -> None:
    assert said(words(text)) == reading
