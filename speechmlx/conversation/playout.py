"""What the listener of a spoken answer has really heard, from the times of its clauses. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Playout:
    """Clauses of an answer, each with the seconds at which its audio ends; the last may still grow."""

    clauses: tuple[tuple[str, float], ...] = ()

    @property
    def duration(self) -> float:
        """Seconds of audio sent."""
        return self.clauses[-1][1] if self.clauses else 0.0

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.clauses)

    def clause(self, text: str) -> Playout:
        """The audio that follows is that of `text`."""
        return Playout((*self.clauses, (text, self.duration)))

    def sent(self, seconds: float) -> Playout:
        """So much more audio of the last clause."""
        *before, (text, end) = self.clauses
        return Playout((*before, (text, end + seconds)))

    def until(self, seconds: float) -> Playout:
        """Only the first `seconds` were sent."""
        kept: list[tuple[str, float]] = []
        start = 0.0
        for text, end in self.clauses:
            if end <= seconds:
                kept.append((text, end))
            elif seconds > start:
                kept.append((_share(text, (seconds - start) / (end - start)), seconds))
            start = end
        return Playout(tuple(kept))

    def heard(self, seconds: float) -> str:
        """The words heard in the first `seconds`: clauses that were over, and of the next one its share of words."""
        words, start = "", 0.0
        for text, end in self.clauses:
            if seconds >= end > start:
                words += text
            elif seconds > start:
                words += _share(text, (seconds - start) / (end - start))
            start = max(start, end)
        return words.rstrip() if seconds < self.duration else words


def _share(text: str, share: float) -> str:
    """The words of `text` that end within its first `share` of characters."""
    limit, place = share * len(text.rstrip()), 0
    for position in range(1, len(text)):
        if text[position].isspace() and not text[position - 1].isspace() and position <= limit:
            place = position
    return text[:place]
