"""Reading in steps: none reads much, however long the text and whatever is in it."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.kokoro.pieces import AHEAD, READ, pieces
from speechmlx.reading import pronunciation
from speechmlx.reading.pronunciation import english
from speechmlx.reading.sentences import sentences

LONGEST = 510
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz .,")
LONG = {
    "no stop": "zorp blick " * 2000,
    "one word": "x" * 20000,
    "stops that end nothing": "e.g. " * 4000,
    "short sentences": "Hi. " * 5000,
    "white space": " " * 20000,
    "nothing that can be said": "\N{SNOWMAN}" * 20000,
}


class Reading:
    """A reader that says its text `loud` times, and how much it read in the step in hand."""

    def __init__(self, loud: int = 1) -> None:
        self.loud = loud
        self.read: list[str] = []

    def __call__(self, text: str) -> Generator[None, None, str]:
        self.read.append(text)
        return text.lower() * self.loud
        yield


class Looked(str):
    """Text that knows how much of it was looked at at once."""

    most = 0

    def __getitem__(self, key: object) -> str:
        found = super().__getitem__(key)  # type: ignore[index]
        Looked.most = max(Looked.most, len(found))
        return found


@pytest.mark.parametrize("loud", [1, 5])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_step_reads_and_looks_at_little(text: str, loud: int) -> None:
    reading, said, Looked.most = Reading(loud), [], 0
    for phonemes in pieces(Looked(text), reading, LETTERS, LONGEST):
        assert sum(map(len, reading.read)) <= READ
        reading.read.clear()
        said.append(phonemes)
    assert said.count(None) >= len(text) / AHEAD
    assert Looked.most <= AHEAD
    assert all(1 <= len(phonemes) <= LONGEST for phonemes in said if phonemes is not None)


PARTS = st.lists(
    st.sampled_from(["word ", "Dr. ", "e.g. ", "Yes! ", "a, ", "\n", " ", "你好。", "x" * 99]), max_size=500
)


@given(PARTS)
def test_every_character_is_read_once_and_in_order(parts: list[str]) -> None:
    read: list[str] = []

    def reading(text: str) -> Generator[None, None, str]:
        read.append(text)
        return "short"
        yield

    for _ in pieces("".join(parts), reading, LETTERS, LONGEST):
        pass
    assert "".join("".join(read).split()) == "".join("".join(parts).split())


def test_sentences_are_read_whole() -> None:
    text = "He left at noon. Dr. Lee stayed; she had work to do! " * 100
    reading = Reading()
    for _ in pieces(text, reading, LETTERS, LONGEST):
        pass
    assert reading.read == sentences(text)


def test_each_sentence_is_a_piece() -> None:
    said = [one for one in pieces("Yes. No! It is. ...", Reading(), LETTERS, LONGEST) if one is not None]
    assert said == ["yes.", "no", "it is."]


def test_an_unknown_word_ends_a_step() -> None:
    spelt: list[str] = []

    def spelling(word: str) -> str:
        spelt.append(word)
        return "zˈɔɹp"

    read = english.load(False, spelling)
    steps = 0
    long = "".join(f"gn{a}{b}rf" for a in "aeiou" for b in "bcdfgklmnp")
    for _ in pronunciation.steps(read, "The zorpel and the blickle saw " + long):
        assert len(spelt) == 1
        assert len(spelt[0]) <= 50
        spelt.clear()
        steps += 1
    assert steps == 2 + 6
    assert read("The zorpel.") == "ðə zˈɔɹp."
