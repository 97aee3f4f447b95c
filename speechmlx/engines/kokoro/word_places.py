"""Which phonemes of a piece say which written word."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from speechmlx.reading import SpokenWord, Token
from speechmlx.reading.pronunciation import Said
from speechmlx.reading.written import WrittenWord


@dataclass(frozen=True)
class PlacedWord:
    """A written word, or a part of it, and the phonemes of its piece that say it: phonemes[start:end]."""

    word: WrittenWord
    start: int
    end: int
    goes_on: bool = False
    """The next piece says more of it."""


@dataclass(frozen=True, slots=True)
class WordPart:
    """A spoken word: the number of the written word that it belongs to, and whether it is the last of that."""

    number: int
    letters: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class SaidEntry:
    """Phonemes with the token that they say, and the spoken words that share them: one, but for runs of words."""

    phonemes: str
    token: Token
    parts: tuple[WordPart, ...] = ()


class WordOrder:
    """The words of one passage as they come to be said, against those that are written."""

    def __init__(self, tokens: Sequence[Token], words: Sequence[WrittenWord], in_runs: bool) -> None:
        """`in_runs`: a word without phonemes shares those of the word before it, in proportion to their letters."""
        starts = [word.start for word in words]
        self._numbers = [
            max(0, bisect_right(starts, token.start) - 1) for token in tokens if isinstance(token, SpokenWord)
        ]
        self._last = {number: at for at, number in enumerate(self._numbers)}
        self._in_runs = in_runs
        self._done = 0

    def entries(self, said: Said) -> list[SaidEntry]:
        """The next tokens of the passage with their words."""
        found: list[SaidEntry] = []
        for phonemes, token in said:
            if not isinstance(token, SpokenWord):
                found.append(SaidEntry(phonemes, token))
                continue
            number = self._numbers[self._done]
            part = WordPart(number, len(token.text), self._last[number] == self._done)
            self._done += 1
            if self._in_runs and not phonemes and found and found[-1].parts:
                before = found[-1]
                found[-1] = SaidEntry(before.phonemes, before.token, (*before.parts, part))
            else:
                found.append(SaidEntry(phonemes, token, (part,)))
        return found


Placed = tuple[WordPart, int, int]
"""A spoken word, and its phonemes in a line."""


def placed(entries: Sequence[SaidEntry], places: Sequence[tuple[int, int]]) -> Iterator[Placed]:
    """The spoken words of a line with their phonemes. `places` has those of each entry."""
    for entry, (start, end) in zip(entries, places, strict=True):
        total = max(1, sum(part.letters for part in entry.parts))
        sums = accumulate((part.letters for part in entry.parts), initial=0)
        bounds = [start + round((end - start) * letters / total) for letters in sums]
        for part, (first, last) in zip(entry.parts, pairwise(bounds), strict=True):
            yield part, first, last


def written(said: Sequence[Placed], words: Sequence[WrittenWord]) -> tuple[PlacedWord, ...]:
    """The written words of a piece, each once, in order."""
    found: list[PlacedWord] = []
    for part, start, end in said:
        word = words[part.number]
        if found and found[-1].word is word:
            start = found.pop().start
        found.append(PlacedWord(word, start, max(start, end), not part.is_last))
    return tuple(found)
