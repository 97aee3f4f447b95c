"""A text that knows where in the input each of its characters comes from, through cuts, joins and rewriting. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat

PLACE = "L"
"""Type of a place in the arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class MappedText:
    """Characters, and for each one the characters of the input that it stands for: input[starts[i]:ends[i]].

    A character may stand for several ("&amp;" → "&"), and several for one ("ﬁ" → "f", "i"). One that was put in
    between stands for what it replaced, or for nothing (its start is its end).
    """

    text: str
    starts: array[int]
    ends: array[int]

    @staticmethod
    def of(text: str, at: int = 0) -> MappedText:
        """The input itself, or a piece of it that begins at character `at`."""
        places = array(PLACE, range(at, at + len(text) + 1))
        return MappedText(text, places[:-1], places[1:])

    @staticmethod
    def said(text: str, start: int, end: int) -> MappedText:
        """A text that as a whole stands for input[start:end]."""
        return MappedText(text, _many(start, len(text)), _many(end, len(text)))

    @staticmethod
    def join(pieces: Iterable[MappedText], between: str = "") -> MappedText:
        """One text. The characters of `between` stand for what lies between the pieces in the input."""
        texts: list[str] = []
        starts, ends = array(PLACE), array(PLACE)
        for count, piece in enumerate(pieces):
            if count and between:
                before = ends[-1] if ends else 0
                texts.append(between)
                starts.extend(repeat(before, len(between)))
                ends.extend(repeat(max(before, piece.starts[0] if piece.text else before), len(between)))
            texts.append(piece.text)
            starts.extend(piece.starts)
            ends.extend(piece.ends)
        return MappedText("".join(texts), starts, ends)

    def __len__(self) -> int:
        return len(self.text)

    def __str__(self) -> str:
        return self.text

    def __getitem__(self, part: slice) -> MappedText:
        return MappedText(self.text[part], self.starts[part], self.ends[part])

    def __add__(self, other: MappedText) -> MappedText:
        return MappedText.join((self, other))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MappedText):
            return NotImplemented
        return self.text == other.text and self.starts == other.starts and self.ends == other.ends

    __hash__ = None  # type: ignore[assignment]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the input that text[start:end] stands for; an empty span between its neighbours."""
        if start < end:
            return self.starts[start], max(self.ends[end - 1], self.starts[start])
        at = self.starts[start] if start < len(self.text) else (self.ends[-1] if self.text else 0)
        return at, at

    def replace(self, start: int, end: int, new: str) -> MappedText:
        """With text[start:end] replaced by `new`, each character of which stands for the whole of what was there."""
        return self.rewritten([(start, end, new)])

    def rewritten(self, edits: Iterable[tuple[int, int, str]]) -> MappedText:
        """With each (start, end, new) replaced. The edits are in order and do not overlap. Linear in the length."""
        texts: list[str] = []
        starts, ends = array(PLACE), array(PLACE)
        done = 0
        for start, end, new in edits:
            first, last = self.span(start, end)
            texts += (self.text[done:start], new)
            starts.extend(self.starts[done:start])
            ends.extend(self.ends[done:start])
            starts.extend(repeat(first, len(new)))
            ends.extend(repeat(last, len(new)))
            done = end
        texts.append(self.text[done:])
        starts.extend(self.starts[done:])
        ends.extend(self.ends[done:])
        return MappedText("".join(texts), starts, ends)

    def strip(self) -> MappedText:
        """Without white space at the beginning and the end."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : max(start, len(self.text.rstrip()))]


def _many(place: int, count: int) -> array[int]:
    return array(PLACE, [place]) * count
