"""Streets, house numbers, states, directions."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("10 Downing St, 5th Ave, High St", "ten downing street fifth avenue high street"),
    ("123 Main St., Apt. 4B", "one twenty three main street apartment four b"),
    ("1234 W 5th Ave", "twelve thirty four west fifth avenue"),
    ("221B Baker St.", "two twenty one b baker street"),
    ("1600 Pennsylvania Ave NW", "sixteen hundred pennsylvania avenue northwest"),
    ("He lives on Elm Dr.", "he lives on elm drive"),
    ("St John's", "saint john's"),
    ("St. James St. is near.", "saint james street is near"),
    ("Dr. Smith's house", "doctor smith's house"),
    ("Springfield, IL 62704", "springfield illinois six two seven zero four"),
    ("Austin, TX", "austin texas"),
    ("P.O. Box 123", "p o box one two three"),
    ("c/o Bob", "care of bob"),
    ("Suite 300", "suite three hundred"),
    ("Hwy. 1", "highway one"),
    ("5 N. Elm Dr.", "five north elm drive"),
    ("winds NW at 5", "winds northwest at five"),
    ("Wind SSW", "wind south southwest"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_addresses(text: str, reading: str) -> None:
    assert said(words(text)) == reading
