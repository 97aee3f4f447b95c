"""Everyday texts and the words that a careful person says for them: each row of the corpora is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechmlx import reading

DATA = Path(__file__).parent / "data"
CORPORA = ("read-aloud.tsv", "read-aloud-more.tsv")
MARKS = re.compile(r"[^\w'\s]|_")


def _rows(name: str) -> list[tuple[str, list[str]]]:
    """The texts of a corpus, each with its alternatives. "\\n" in a text stands for a line end."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if "\t" in line]
    return [(text.replace("\\n", "\n"), words.split(" | ")) for text, words in pairs]


def _plain(words: str) -> str:
    """Lower case, one blank between words, no marks but apostrophes."""
    return " ".join(MARKS.sub(" ", words.lower().replace("’", "'")).split())


ROWS = [row for name in CORPORA for row in _rows(name)]


@pytest.mark.parametrize(("text", "alternatives"), ROWS, ids=[text for text, _ in ROWS])
def test_a_text_is_read_as_a_person_reads_it(text: str, alternatives: list[str]) -> None:
    assert _plain(reading.spoken(reading.read(text, "en-us"))) in [_plain(words) for words in alternatives]


def test_the_corpora_hold_no_text_twice() -> None:
    texts = [text for text, _ in ROWS]
    assert len(set(texts)) == len(texts)
    assert all(_plain(words) or words == "" for _, alternatives in ROWS for words in alternatives)
