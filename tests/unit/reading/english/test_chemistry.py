"""Formulas of chemistry, keys and chords of music."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("H2O", "h two o"),
    ("CO2 emissions", "c o two emissions"),
    ("H₂SO₄", "h two s o four"),
    ("C6H12O6", "c six h twelve o six"),
    ("NaCl", "n a c l"),
    ("NaHCO3", "n a h c o three"),
    ("Na+", "n a plus"),
    ("Ca²⁺", "c a two plus"),
    ("SO4²⁻", "s o four two minus"),
    ("O2", "o two"),
    ("No", "no"),
    ("He", "he"),
    ("In", "in"),
    ("F# minor", "f sharp minor"),
    ("B♭", "b flat"),
    ("C#m", "c sharp minor"),
    ("Am7", "a m seven"),
    ("G major", "g major"),
    ("E flat", "e flat"),
    ("A minor", "a minor"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_chemistry(text: str, reading: str) -> None:
    assert said(words(text)) == reading
