"""What the listener of a spoken answer has really heard, from the times of its clauses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEAKING_RATE = 15.0
"""Characters a second, about, of a clause whose audio is not whole yet."""


@dataclass(frozen=True)
class Spoken:
    """A clause whose audio was sent from `start` to `end` seconds, of `length` in all; None while more may come."""

    text: str
    start: float
    end: float
    length: float | None = None

    def heard(self, seconds: float) -> str:
        """Its words that were over at `seconds`: as many as their share of its characters says."""
        heard = min(seconds, self.end) - self.start
        whole = self.length
        if whole is None:
            whole = max(self.end - self.start, len(self.text.rstrip()) / SPEAKING_RATE)
        if heard < 0:
            return ""
        return self.text if heard >= whole - 1e-9 else _words(self.text, heard / whole)


@dataclass(frozen=True)
class PlayoutTimeline:
    """The clauses of an answer, in order."""

    clauses: tuple[Spoken, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds of audio sent."""
        return self.clauses[-1].end if self.clauses else 0.0

    def clause(self, text: str) -> PlayoutTimeline:
        """The audio that follows is that of `text`."""
        return PlayoutTimeline((*self.clauses, Spoken(text, self.duration, self.duration)))

    def sent(self, seconds: float) -> PlayoutTimeline:
        """So much more audio of the last clause."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, end=last.end + seconds)))

    def closed(self) -> PlayoutTimeline:
        """The audio of the last clause is whole."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, length=last.end - last.start)))

    def until(self, seconds: float) -> PlayoutTimeline:
        """Only the first `seconds` were sent."""
        kept = (clause for clause in self.clauses if clause.start <= seconds)
        return PlayoutTimeline(tuple(replace(clause, end=min(clause.end, seconds)) for clause in kept))

    def heard(self, seconds: float) -> str:
        """The words heard in the first `seconds`."""
        return "".join(clause.heard(seconds) for clause in self.clauses).rstrip()


def _words(text: str, share: float) -> str:
    """The words of `text` that end within its first `share` of characters."""
    limit, place = share * len(text.rstrip()), 0
    for position in range(1, len(text)):
        if text[position].isspace() and not text[position - 1].isspace() and position <= limit:
            place = position
    return text[:place]
