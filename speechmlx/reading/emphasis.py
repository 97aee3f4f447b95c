"""Which runs of * _ ~~ == mark emphasis in Markdown. Pure, linear in the length.

A run opens before a word and closes after one; between two letters or digits it is a sign ("a_b", "2*3"), but for "**"
at one of its sides ("**bold**ly"), and in scripts without spaces.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

Edit = tuple[int, int, str]


@dataclass(slots=True)
class _Opener:
    """A run that may open: text[start:end], of which the last characters are used up first."""

    start: int
    end: int
    inside: bool
    """Stands inside a word."""


class Delimiters:
    """Pairs the runs of one block, which are pushed in order."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._openers: dict[str, list[_Opener]] = {}
        self._found: list[Edit] = []

    def push(self, start: int, end: int) -> None:
        """The run text[start:end], of one character."""
        mark = self._text[start]
        before, after = self._text[start - 1 : start], self._text[end : end + 1]
        left, right = _flanks(before, after), _flanks(after, before)
        inside = _is_word(before) and _is_word(after)
        if inside and (mark == "_" or end - start < 2 or before.isdigit() or after.isdigit()):
            return
        openers = self._openers.setdefault(mark, [])
        if right:
            start = self._close(start, end, inside, openers)
        if left and start < end:
            openers.append(_Opener(start, end, inside))

    def edits(self) -> list[Edit]:
        """What goes: the marks of pairs, and those of two or more that open a word and stay alone, as the first half
        of a text that still arrives has them.
        """
        alone = [
            (opener.start, opener.end, "")
            for openers in self._openers.values()
            for opener in openers
            if not opener.inside and opener.end - opener.start > 1 and self._text[opener.end].isalpha()
        ]
        return [*self._found, *alone]

    def _close(self, start: int, end: int, inside: bool, openers: list[_Opener]) -> int:
        """Pair the run with the openers before it. Returns where its rest begins."""
        while start < end and openers and not (inside and openers[-1].inside):
            opener = openers[-1]
            count = min(end - start, opener.end - opener.start)
            if self._text[start] in "~=" and count < 2:
                break
            self._found += ((opener.end - count, opener.end, ""), (start, start + count, ""))
            opener.end -= count
            start += count
            if opener.end == opener.start:
                openers.pop()
        if start < end and end - start > 1 and not inside and self._text[start - 1 : start].isalpha() and not openers:
            self._found.append((start, end, ""))  # the last half of a text that arrived in pieces
            return end
        return start


def _flanks(outer: str, inner: str) -> bool:
    """Whether a run between these two characters stands at the side of `inner`."""
    if not inner or inner.isspace():
        return False
    return not _is_mark(inner) or not outer or outer.isspace() or _is_mark(outer)


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def _is_word(character: str) -> bool:
    """Whether it is a letter of a script with spaces between its words, or a digit."""
    return character.isalnum() and (unicodedata.category(character) != "Lo" or character.isdigit())
