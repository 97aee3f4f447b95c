"""Words and marks as they are written."""

from __future__ import annotations

import re

from speechmlx.reading import Pause, SpokenWord, Token

PART = re.compile(r"([^\W_]+(?:['’-][^\W_]+)*)|([,;:.!?…—()“”])")


def words(text: str) -> list[Token]:
    """The words of a text and the marks between them, with offsets into it."""
    return [
        SpokenWord(part[1], part.start(), part.end()) if part[1] else Pause(part[2], part.start(), part.end())
        for part in PART.finditer(text)
    ]
