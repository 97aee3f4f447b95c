"""Everyday texts and the words that a careful person says for them: each row of the corpora is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.read_aloud import plain, rows

from speechmlx import reading

DATA = Path(__file__).parent / "data"
CORPORA = ("read-aloud.tsv", "read-aloud-more.tsv")
ROWS = [row for name in CORPORA for row in rows(DATA / name)]


@pytest.mark.parametrize(("text", "alternatives"), ROWS, ids=[text for text, _ in ROWS])
def test_a_text_is_read_as_a_person_reads_it(text: str, alternatives: list[str]) -> None:
    assert plain(reading.spoken(reading.read(text, "en-us"))) in alternatives


def test_the_corpora_hold_no_text_twice() -> None:
    texts = [text for text, _ in ROWS]
    assert len(set(texts)) == len(texts) > 600
