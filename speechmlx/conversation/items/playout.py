"""How much of a spoken answer its listener has heard, from the times of its words or else its clauses. Pure."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from speechmlx.types import WordTime

SPEAKING_RATE = 15.0
"""Characters per second, about: the rate assumed for a clause without words whose audio is not complete yet."""
ROUNDING = 1e-6
"""Seconds by which sums of times may be off."""
CLOSING = re.compile(r"(?:\]\([^\s()]*\)|[*_~`)\]])*+")
"""The end of Markdown's marks, which no word has: "**", "](https://example.org)"."""


@dataclass(frozen=True)
class PlayedWords:
    """The words of a clause, in the order in which they are said; 12 bytes for each."""

    ends: array[float] = field(default_factory=lambda: array("d"))
    """When each is over, in seconds of the clause's audio; never before the one before it."""
    lasts: array[int] = field(default_factory=lambda: array("I"))
    """Where each ends in the clause's text, with the signs after it."""

    def __bool__(self) -> bool:
        return bool(self.ends)

    def and_then(self, words: Iterable[WordTime]) -> PlayedWords:
        """With the words that follow."""
        ends, lasts = self.ends[:], self.lasts[:]
        for word in words:
            ends.append(max(word.end, ends[-1] if ends else 0.0))
            lasts.append(word.last)
        return PlayedWords(ends, lasts)

    def last_at(self, seconds: float) -> int:
        """Where the words end that are over by `seconds`; 0 for none."""
        count = bisect_right(self.ends, seconds + ROUNDING)
        return self.lasts[count - 1] if count else 0


@dataclass(frozen=True)
class PlayedClause:
    """A clause and its audio. Times are seconds since the answer's first sample."""

    text: str
    start: float
    end: float
    """End of the audio that was sent so far."""
    length: float | None = None
    """Seconds of the complete audio; None while more may come."""
    words: PlayedWords = PlayedWords()
    """Those whose times are known so far; none where the synthesiser does not tell them."""

    def text_at(self, seconds: float) -> str:
        """The words that ended by `seconds`. Without times of words, every character is taken for as long as another.

        A clause that is over is whole.
        """
        played = min(seconds, self.end) - self.start
        length = self.length
        if self.words and (length is None or played < length - ROUNDING):
            return _up_to(self.text, self.words.last_at(played))
        if length is None:
            length = max(self.end - self.start, len(self.text.rstrip()) / SPEAKING_RATE)
        if played < 0:
            return ""
        return self.text if played >= length - ROUNDING else _first_words(self.text, played / length)


@dataclass(frozen=True)
class PlayoutTimeline:
    """The clauses of one answer, in the order in which they are played."""

    clauses: tuple[PlayedClause, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds of audio that were sent."""
        return self.clauses[-1].end if self.clauses else 0.0

    def begin_clause(self, text: str) -> PlayoutTimeline:
        """The audio added from here on is the audio of `text`."""
        return PlayoutTimeline((*self.clauses, PlayedClause(text, self.duration, self.duration)))

    def grow_clause(self, text: str) -> PlayoutTimeline:
        """The last clause, which is spoken while it is written, goes on with `text`."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, text=last.text + text)))

    def add_audio(self, seconds: float) -> PlayoutTimeline:
        """Add audio to the last clause."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, end=last.end + seconds)))

    def add_words(self, words: Iterable[WordTime]) -> PlayoutTimeline:
        """Words of the last clause; their times and places are those of its audio and text."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, words=last.words.and_then(words))))

    def end_clause(self) -> PlayoutTimeline:
        """The audio of the last clause is complete."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, length=last.end - last.start)))

    def cut_at(self, seconds: float) -> PlayoutTimeline:
        """Drop the audio after `seconds`: it was not sent."""
        kept = (clause for clause in self.clauses if clause.start <= seconds)
        return PlayoutTimeline(tuple(replace(clause, end=min(clause.end, seconds)) for clause in kept))

    def text_at(self, seconds: float) -> str:
        """The words that a listener has heard after `seconds`."""
        return "".join(clause.text_at(seconds) for clause in self.clauses).rstrip()


def _up_to(text: str, last: int) -> str:
    """text[:last], with the marks of Markdown that close right behind it."""
    closing = CLOSING.match(text, last) if last else None
    return text[: closing.end() if closing else last]


def _first_words(text: str, share: float) -> str:
    """The words of `text` that end within its first `share` (0 to 1) of characters."""
    limit, end = share * len(text.rstrip()), 0
    for position in range(1, len(text)):
        if text[position].isspace() and not text[position - 1].isspace() and position <= limit:
            end = position
    return text[:end]
