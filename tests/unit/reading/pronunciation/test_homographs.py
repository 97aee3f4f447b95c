"""Words of two pronunciations in sentences: a table of each kind, with a bound on the sentences that are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.pronunciation import english
from speechmlx.reading.pronunciation.english import English
from speechmlx.reading.pronunciation.tagging import WINDOW, place

DATA = Path(__file__).parents[1] / "data"
TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[.,!?;:—]")


@pytest.fixture(scope="module")
def american() -> English:
    return english.load(False, lambda word: "")


@pytest.fixture(scope="module")
def british() -> English:
    return english.load(True, lambda word: "")


def tokens(sentence: str) -> list[Token]:
    matches = TOKEN.finditer(sentence.replace("’", "'"))
    return [(SpokenWord if m[0][0].isalpha() else Pause)(m[0], m.start(), m.end()) for m in matches]


def rows(name: str) -> list[tuple[str, str, int, list[str]]]:
    found = []
    for line in (DATA / name).read_text().splitlines():
        if "\t" in line and not line.startswith("#"):
            sentence, word, said = line.split("\t")
            word, _, number = word.partition("#")
            found.append((sentence, word, int(number or 1), said.split(" | ")))
    return found


def sound(read: English, sentence: str, word: str, number: int) -> str:
    said = [phonemes for phonemes, t in read.phonemes(tokens(sentence)) if isinstance(t, SpokenWord) and t.text == word]
    return said[number - 1]


def same(one: str, other: str) -> bool:
    """Whether two pronunciations agree: without secondary stress, and without any where `other` has no primary."""
    marks = "ˌ" if "ˈ" in other else "ˌˈ"
    one, other = (re.sub(f"[{marks}]", "", p).replace("T", "t").replace("ɾ", "t") for p in (one, other))
    return one == other


@pytest.mark.parametrize(("name", "most"), [("homographs.tsv", 5), ("homographs-more.tsv", 5)])
def test_tables(american: English, name: str, most: int) -> None:
    table = rows(name)
    wrong = [row for row in table if not any(same(sound(american, *row[:3]), said) for said in row[3])]
    assert len(table) > 250
    assert len(wrong) <= most, wrong


BRITISH = [
    ("Lead pipes lead to lead poisoning.", "lead", ["lˈiːd", "lˈɛd"]),
    ("They had a terrible row about it.", "row", ["ɹˈW"]),
    ("Send your resume. Talks resume today.", "resume", ["ɹˈɛzjʊmˌA", "ɹɪzjˈuːm"]),
    ("The wind blew. Wind the clock.", "wind", ["wˈɪnd"]),
    ("I will record a record.", "record", ["ɹɪkˈɔːd", "ɹˈɛkɔːd"]),
    ("We used to use it.", "used", ["jˈuːst"]),
]


@pytest.mark.parametrize(("sentence", "word", "sounds"), BRITISH)
def test_british(british: English, sentence: str, word: str, sounds: list[str]) -> None:
    assert [sound(british, sentence, word, n + 1) for n in range(len(sounds))] == sounds


def test_a_place_is_a_window_of_its_sentence() -> None:
    words = ["Stop", ".", "He", *["very"] * 50, "Read", "it", ".", "Go"]
    at = place(words, words.index("Read"))
    assert at.word == "read"
    assert at.near(1) == "it"
    assert at.near(2) == ""
    assert at.at == WINDOW
    assert at.capital
    assert not at.initial
    assert place(words, 2).initial
