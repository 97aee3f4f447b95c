"""Abbreviations by what stands around."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("Dr. Lee and Mr. Ray", "doctor lee and mister ray"),
    ("e.g. apples, i.e. fruit", "for example apples that is fruit"),
    ("us vs Brown, eg this", "us versus brown for example this"),
    ("approx. 50, max. 10, min. 5", "approximately fifty max ten minimum five"),
    ("see p. 45; pp. 5-7; Fig. 3", "see page forty five pages five to seven figure three"),
    ("No. I said no.", "no i said no"),
    ("no. 7", "number seven"),
    ("He left in the U.S.", "he left in the u s"),
    ("U.S.A.", "u s a"),
    ("J. K. Rowling", "j k rowling"),
    ("the U.K.'s vote", "the u k's vote"),
    ("Acme Inc. and Foo Ltd.", "acme incorporated and foo limited"),
    ("Smith et al. said", "smith and others said"),
    ("w/ milk, w/o sugar", "with milk without sugar"),
    ("and/or, he/she", "and or he she"),
    ("n/a", "n a"),
    ("etc. and so on", "et cetera and so on"),
    ("Mt. Everest", "mount everest"),
    ("Ft. Worth", "fort worth"),
    ("Sammy Davis Jr.", "sammy davis junior"),
    ("the max", "the max"),
    ("Tell Max.", "tell max"),
    ("file(s)", "files"),
    ("Dept. of Energy", "department of energy"),
    ("2nd ed.", "second edition"),
    ("est. 1890", "established eighteen ninety"),
    ("It was est. at ten", "it was estimated at ten"),
    ("Ctrl-C", "control c"),
    ("№ 5", "number five"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_abbreviated(text: str, reading: str) -> None:
    assert said(words(text)) == reading
