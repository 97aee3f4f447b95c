"""English sentences of every kind, and how a person reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.read_aloud import rows, said

from speechmlx.reading.english import words

DATA = Path(__file__).parents[1] / "data"
STRUCTURED = re.compile(
    r"^[#>]+ |\]\(|</?[\w:/]+[^>]*>|&#?\w+;|\*\*|`|\n|_\w+_|[\uff00-\uffef\u2060\u2460-\u24ff]|[\U0001d400-\U0001d7ff]"
)
"""Rows of Markdown, HTML and characters that are folded before this package sees them."""
ROWS = [row for path in sorted(DATA.glob("read-aloud*.tsv")) for row in rows(path) if not STRUCTURED.search(row[0])]


@pytest.mark.parametrize(("text", "readings"), ROWS, ids=[text for text, _ in ROWS])
def test_read_as_a_person_reads(text: str, readings: list[str]) -> None:
    assert said(words(text)) in readings


def test_the_rows_are_here() -> None:
    assert len(ROWS) > 80
