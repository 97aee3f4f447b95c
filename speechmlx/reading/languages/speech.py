"""From what is said for each piece of a text to spoken words and pauses."""

from __future__ import annotations

from collections.abc import Iterable

from speechmlx.reading.languages.grammar import MARKS, Classified
from speechmlx.reading.tokens import Pause, SpokenWord, Token


def tokens(pieces: Iterable[Classified]) -> list[Token]:
    """The words and pauses of `pieces`. A pause right after one of the same mark is left out."""
    found: list[Token] = []
    for piece in pieces:
        for part in piece.said.split():
            if part in MARKS:
                last = found[-1] if found else None
                if not (isinstance(last, Pause) and last.mark == part):
                    found.append(Pause(part, piece.start, piece.end))
            else:
                is_letter = len(part) == 2 and part[0] == "."
                found.append(SpokenWord(part[is_letter:], piece.start, piece.end, is_letter))
    return found
