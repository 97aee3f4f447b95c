"""One line of phonemes, and where each token is in it."""

from __future__ import annotations

import pytest

from speechmlx.reading import Pause, SpokenWord, Token
from speechmlx.reading.pronunciation.said import Said, joined, laid_out


def said(*parts: str) -> Said:
    """Words, and marks where a part is no letter; "-x" is a word without a sound."""
    found: Said = []
    for at, part in enumerate(parts):
        word = part.removeprefix("-")
        token: Token = SpokenWord(word, at, at + 1) if word.isalpha() else Pause(part, at, at + 1)
        found.append(("" if part.startswith("-") else part, token))
    return found


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("a", "bc", ",", "d", "."), "a bc, d."),
        (("“", "a", "”", "b"), "“a” b"),
        (("a", "-b", "c"), "a c"),
        (("-a", "b"), "b"),
        (("a", '"', "b", '"', "c"), 'a "b" c'),
    ],
)
def test_places(parts: tuple[str, ...], line: str) -> None:
    found = laid_out(said(*parts))
    assert found.text == line == joined(said(*parts))
    assert [line[start:end] for start, end in found.places] == ["" if p.startswith("-") else p for p in parts]


def test_blanks_around_a_line_are_no_part_of_it() -> None:
    found = laid_out([(" a b ", SpokenWord("ab", 0, 2)), ("", SpokenWord("c", 2, 3))])
    assert (found.text, found.places) == ("a b", ((0, 3), (3, 3)))
