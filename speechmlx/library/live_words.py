"""The events of a live session → the words that are final, each once and in the order of speech, and the unsure rest.

A turn's transcript may come after the next turn has begun. Here the next turn waits for it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from speechmlx.conversation.events import (
    Committed,
    Event,
    SpeechStarted,
    SpeechStopped,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
)
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.types import Hypothesis, Word


@dataclass
class SpokenWords:
    """A turn whose words are not all given out. Times are seconds of the session's audio."""

    start: float
    end: float | None = None
    """None: it is under way."""
    heard_until: float = 0.0
    fresh: list[Word] = field(default_factory=list)
    """Final, and not given out."""
    tail: tuple[Word, ...] = ()
    is_committed: bool = False
    is_over: bool = False
    """No more words of it come."""


class LiveWords:
    """Give it every event of a session, and take the words when there is a change."""

    def __init__(self) -> None:
        self.changed = False
        """Whether there is something that was not taken."""
        self._turns: dict[str, SpokenWords] = {}
        """By item, oldest first."""

    def add(self, event: Event) -> None:
        """The next event."""
        match event:
            case SpeechStarted(item, at):
                for before in self._turns.values():
                    if not before.is_committed:  # it was dropped: this one is in its place
                        self._end(before)
                self._turns[item] = SpokenWords(at, heard_until=at)
            case Committed(item) if turn := self._turns.get(item):
                turn.is_committed = True
            case SpeechStopped(item, at) if turn := self._turns.get(item):
                turn.end = at
            case TranscriptDelta(item, update):
                self._update(self._turns.setdefault(item, SpokenWords(0.0)), update)
            case TranscriptDone(item) | TranscriptFailed(item) if turn := self._turns.get(item):
                self._end(turn)

    def finish(self) -> None:
        """The session is over: what is final can be taken, and nothing is unsure any more."""
        for turn in self._turns.values():
            self._end(turn)

    def take(self) -> Hypothesis:
        """The words that are final since the last call, and those that may still change."""
        committed: list[Word] = []
        for item, turn in list(self._turns.items()):
            committed += turn.fresh
            turn.fresh = []
            if not turn.is_over:
                break
            del self._turns[item]
        first = next(iter(self._turns.values()), None)
        tail = [] if first is None else list(first.tail)
        for turn in islice(self._turns.values(), 1, None):
            tail += [*turn.fresh, *turn.tail]
        self.changed = False
        return Hypothesis(tuple(committed), tuple(tail))

    def _end(self, turn: SpokenWords) -> None:
        """No more words of it come: those of the next turns need not wait."""
        waiting = any(other.fresh for other in self._turns.values())
        self.changed = self.changed or waiting or bool(turn.tail)
        turn.is_over, turn.tail = True, ()

    def _update(self, turn: SpokenWords, update: TranscriptUpdate) -> None:
        words = update.committed
        if update.text.strip() and not words:  # recognised whole, by a model that tells no times
            words = spread(update.text, turn.heard_until, turn.end)
        turn.fresh += words
        turn.heard_until = words[-1].end if words else turn.heard_until
        turn.tail = update.unattributed + update.tail
        self.changed = True


def spread(text: str, start: float, end: float | None) -> tuple[Word, ...]:
    """The words of a text without times, evenly from `start` to `end`; nothing is known of their confidence."""
    parts = text.split()
    step = max(0.0, (start if end is None else end) - start) / max(1, len(parts))
    return tuple(Word(f" {part}", start + n * step, start + (n + 1) * step, 0.0) for n, part in enumerate(parts))
