"""Readers of whole runs of words."""

from __future__ import annotations

import pytest

from speechmlx.errors import BadRequest
from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.pronunciation import joined
from speechmlx.reading.pronunciation.runs import LONGEST, Runs


def words(*texts: str) -> list[Token]:
    return [(SpokenWord if t[0].isalnum() else Pause)(t, i, i + 1) for i, t in enumerate(texts)]


def test_words_between_marks_are_converted_at_once_and_keep_their_sounds() -> None:
    asked: list[str] = []

    def convert(text: str) -> str:
        asked.append(text)
        return text.upper()

    tokens = words("les", "amis", ",", "oui", ".")
    said = Runs(convert, blanks=True).phonemes(tokens)
    assert asked == ["les amis", "oui"]
    assert said == list(zip(["LES", "AMIS", ",", "OUI", "."], tokens, strict=True))
    assert joined(said) == "LES AMIS, OUI."


def test_where_words_melt_the_first_has_the_sound_of_all() -> None:
    tokens = words("il", "y", "a")
    assert [p for p, _ in Runs(lambda text: "ilja", blanks=True).phonemes(tokens)] == ["ilja", "", ""]
    assert [p for p, _ in Runs(lambda text: text[::-1], blanks=False).phonemes(words("今", "日"))] == ["日今", ""]


def test_given_phonemes_stay_and_bad_ones_are_refused() -> None:
    reader = Runs(str.upper, blanks=True)
    tokens: list[Token] = [SpokenWord("le", 0, 2), SpokenWord("x", 3, 4, phonemes="ʃa"), SpokenWord("va", 5, 7)]
    assert joined(reader.phonemes(tokens)) == "LE ʃa VA"
    with pytest.raises(BadRequest):
        reader.phonemes([SpokenWord("x", 0, 1, phonemes="Ж")])


def test_a_long_run_is_converted_in_steps() -> None:
    asked: list[str] = []

    def convert(text: str) -> str:
        asked.append(text)
        return "a"

    steps = Runs(convert, blanks=True).steps(words(*["mot"] * 1000))
    assert sum(1 for _ in steps) >= 4000 // LONGEST - 1
    assert max(map(len, asked)) <= LONGEST
    assert sum(text.count("mot") for text in asked) == 1000
