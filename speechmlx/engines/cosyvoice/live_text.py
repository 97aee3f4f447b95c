"""A sentence that is still being written, and how much of it can be said before it is whole."""

from __future__ import annotations

import re
from collections.abc import Callable

from speechmlx.engines.cosyvoice.text_pieces import beside

Encode = Callable[[str], tuple[int, ...]]

MARKS = ",，、;；"
"""Marks that change nothing of the words before them."""
WORD = re.compile(r" *([^\W\d_]+(?:['’-][^\W\d_]+)*)")
LEAD = re.compile(rf"\s*([{MARKS}]?)\s*")


def certain_end(text: str, held: int = 1) -> int:
    """The place in the beginning of a sentence up to which it is read as it stands, whatever follows; 0: nowhere.

    Those are plain words. The last `held` ones wait, as what follows a word may be read with it, and so do all from a
    number, a sign or an abbreviation in capitals on.
    """
    ends, sure, place = [0] * (held + 1), 0, 0
    while (word := WORD.match(text, place)) and word.end() < len(text):
        if len(word[1]) > 1 and word[1].isupper():
            break
        place = word.end()
        if text[place] in MARKS:
            sure = place
            place += 1
        elif text[place] != " ":
            break
        else:
            ends.append(place)
    return max(sure, ends[-1 - held])


class LiveText:
    """The tokens of such a sentence."""

    def __init__(self, encode: Encode) -> None:
        self._encode, self._said = encode, ""
        self.tokens: list[int] = []
        """Those that nobody took."""
        self.count = 0
        """All of them."""
        self.begun = self.ended = False
        """It is being said; no more words come."""

    def add(self, said: str) -> None:
        """More words, as they are said."""
        joined = beside(self._said, said)
        more = self._encode(joined[len(self._said) :])
        self.tokens += more
        self.count += len(more)
        self._said = joined
