"""Rows of texts and the words a person reads for them, and the words of tokens in the same form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from speechmlx.reading import Pause, Token


def said(tokens: Iterable[Token]) -> str:
    """The words of `tokens`, lower case, without marks."""
    return plain(" ".join(token.text for token in tokens if not isinstance(token, Pause)))


def plain(words: str) -> str:
    """Lower case, apostrophes as the only marks, single blanks."""
    return " ".join(re.sub(r"[^\w' ]", " ", words.lower().replace("’", "'")).split())


def rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The text of each row, and its right readings."""
    for line in path.read_text(encoding="utf-8").splitlines():
        text, tab, readings = line.partition("\t")
        if tab:
            yield text.replace("\\n", "\n"), [plain(reading) for reading in readings.split(" | ")]
