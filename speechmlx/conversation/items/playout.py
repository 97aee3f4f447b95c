"""How much of a spoken answer its listener has heard, from the times of its clauses. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEAKING_RATE = 15.0
"""Characters per second, about: the rate assumed for a clause whose audio is not complete yet."""


@dataclass(frozen=True)
class PlayedClause:
    """A clause and its audio. Times are seconds since the answer's first sample."""

    text: str
    start: float
    end: float
    """End of the audio that was sent so far."""
    length: float | None = None
    """Seconds of the complete audio; None while more may come."""

    def text_at(self, seconds: float) -> str:
        """The words that ended by `seconds`, assuming that every character takes the same time."""
        played = min(seconds, self.end) - self.start
        length = self.length
        if length is None:
            length = max(self.end - self.start, len(self.text.rstrip()) / SPEAKING_RATE)
        if played < 0:
            return ""
        return self.text if played >= length - 1e-9 else _first_words(self.text, played / length)


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

    def add_audio(self, seconds: float) -> PlayoutTimeline:
        """Add audio to the last clause."""
        *before, last = self.clauses
        return PlayoutTimeline((*before, replace(last, end=last.end + seconds)))

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


def _first_words(text: str, share: float) -> str:
    """The words of `text` that end within its first `share` (0 to 1) of characters."""
    limit, end = share * len(text.rstrip()), 0
    for position in range(1, len(text)):
        if text[position].isspace() and not text[position - 1].isspace() and position <= limit:
            end = position
    return text[:end]
