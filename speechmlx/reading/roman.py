"""Roman numerals as numbers."""

from __future__ import annotations

import re

NUMERAL = re.compile(r"(?=.)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
WORTH = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def value(numeral: str) -> int | None:
    """The number, 1 to 3999, of a numeral in capitals as it is written today; None for other text."""
    if not NUMERAL.fullmatch(numeral):
        return None
    worth = [WORTH[letter] for letter in numeral]
    return sum(-one if one < after else one for one, after in zip(worth, [*worth[1:], 0], strict=True))
