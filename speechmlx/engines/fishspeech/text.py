"""A text on its way to FishSpeech: cleaned, and cut into what is said at once."""

from __future__ import annotations

import re

from speechmlx.reading.sentences import clauses

QUOTES = str.maketrans({"‘": "'", "’": "'"})
COMMAS = re.compile(r",{2,}")
PICTURES = re.compile("[\U0001f1e6-\U0001f1ff\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\ufe0f]+")
"""Emoji, map signs and flags: the model would make sounds of them."""
BLANKS = re.compile(r"\s+")


def cleaned(text: str) -> str:
    """Straight apostrophes, one blank for any white space, and no pictures: as the model was trained."""
    plain = PICTURES.sub("", text.translate(QUOTES))
    return BLANKS.sub(" ", COMMAS.sub(",", plain)).strip()


def pieces(text: str, most: int) -> list[str]:
    """What is said at once: at most `most` bytes of UTF-8, whole sentences where they fit; none without a word."""
    found = (piece.strip() for piece in clauses(cleaned(text), most, lambda part: len(part.encode())))
    return [piece for piece in found if any(letter.isalnum() for letter in piece)]
