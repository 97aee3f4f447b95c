"""What one session has heard, in the order in which it was said: its turns, their words, and how far it is. Pure.

A turn's transcript may come after the next turn has begun. Here the next turn waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

from speechmlx.conversation import events
from speechmlx.conversation.input.transcript import TranscriptUpdate
from speechmlx.types import Word

PREFIX = 0.3
"""Seconds before the first speech that belong to a turn: `TurnTaking.prefix` of these sessions."""
IDLE_MARGIN = PREFIX + 0.2
"""A turn that is not known yet begins at most so many seconds before the audio that is searched for speech."""
EPSILON = 1e-6


@dataclass
class TurnWords:
    """A turn whose words are not all taken. Times are seconds of the session's audio."""

    start: float
    words: list[Word] = field(default_factory=list)
    """Committed, and not taken."""
    tail: tuple[Word, ...] = ()
    """Unsure, or without their speaker yet."""
    paused: float | None = None
    """Since when nobody speaks; None: somebody does."""
    end: float | None = None
    """None: it is under way."""
    over: bool = False
    """All its words are committed."""
    flushes: int = 0
    """Flushes that were carried out while it was the newest turn, and are not answered."""
    answered: bool = False
    """A flush was answered after its last word."""

    @property
    def silence(self) -> float:
        """Seconds of silence at its end."""
        return 0.0 if self.paused is None or self.end is None else self.end - self.paused

    @property
    def onset(self) -> float:
        """Where speech begins, or before: the end of another turn may cut the prefix."""
        return self.start + PREFIX

    def gap(self, following: TurnWords) -> float:
        """Seconds without speech up to the next turn."""
        return 0.0 if self.paused is None else following.onset - self.paused


class Heard:
    """The turns that are not done, oldest first, and the session's progress. The oldest one is the `head`."""

    def __init__(self) -> None:
        self.at = 0.0
        """The audio up to here is searched for speech."""
        self.transcribed = 0.0
        """The audio up to here is searched for words."""
        self.received = 0.0
        self.language: str | None = None
        """The language of the newest words."""
        self._turns: dict[str, TurnWords] = {}

    def begin(self, at: float) -> None:
        """The audio before `at` seconds is done: another has heard it."""
        self.at = self.transcribed = self.received = at

    @property
    def head(self) -> TurnWords | None:
        """The oldest turn; its words are the next ones."""
        return next(iter(self._turns.values()), None)

    @property
    def newest(self) -> TurnWords | None:
        """The turn under way, or the last one whose words are not all there."""
        return next(reversed(self._turns.values()), None)

    @property
    def has_words(self) -> bool:
        """Whether words wait, or may still come of audio that is over."""
        return any(turn.words or turn.tail or turn.end is not None for turn in self._turns.values())

    @property
    def following(self) -> TurnWords | None:
        """The turn after the head."""
        return next(islice(self._turns.values(), 1, None), None)

    @property
    def waiting(self) -> list[Word]:
        """All words that are not taken, in order, also those that are unsure."""
        return [word for turn in self._turns.values() for word in (*turn.words, *turn.tail)]

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks where the audio is searched now."""
        turn = self.newest
        return turn is not None and turn.end is None and turn.paused is None

    def pop(self) -> None:
        """The head is done."""
        del self._turns[next(iter(self._turns))]

    def take(self, event: events.Event) -> None:
        """The next event of the session."""
        match event:
            case events.Advanced():
                self.at, self.transcribed, self.received = event.at, event.transcribed, event.received
            case events.SpeechStarted(item, at):
                self._turns[item] = TurnWords(at)
            case events.SpeechPaused(item, since) if turn := self._turns.get(item):
                turn.paused = since
            case events.SpeechResumed(item) if turn := self._turns.get(item):
                turn.paused = None
            case events.SpeechStopped(item, at) if turn := self._turns.get(item):
                turn.end = at
                self.at = max(self.at, at)
            case events.TranscriptDelta(item, update) if turn := self._turns.get(item):
                self._update(turn, update)
            case events.TranscriptDone(item) | events.TranscriptFailed(item) if turn := self._turns.get(item):
                turn.over, turn.tail = True, ()
            case events.Flushed() if turn := self.newest:
                turn.flushes += 1

    def _update(self, turn: TurnWords, update: TranscriptUpdate) -> None:
        words = update.committed
        if update.text.strip() and not words:
            words = spread(update.text, turn.start, self.at if turn.end is None else turn.end)
        if turn.end is not None:  # the times of a recogniser may be after its audio by little
            words = tuple(inside(word, turn.end) for word in words)
        turn.words += words
        turn.answered = turn.answered and not words
        turn.tail = update.unattributed + update.tail
        self.language = update.language or self.language


def spread(text: str, start: float, end: float) -> tuple[Word, ...]:
    """The words of a text without times, spread evenly from `start` to `end`; nothing is known of their confidence."""
    parts = text.split()
    step = max(0.0, end - start) / max(1, len(parts))
    return tuple(Word(f" {part}", start + n * step, start + (n + 1) * step, 0.0) for n, part in enumerate(parts))


def inside(word: Word, end: float) -> Word:
    """The word, before `end` seconds."""
    return replace(word, start=min(word.start, end), end=min(word.end, end))


def within(words: list[Word], start: float) -> list[Word]:
    """The words in order of time and not before `start`: the times of a recogniser may overlap by little."""
    placed: list[Word] = []
    for word in words:
        first = max(word.start, start)
        last = max(word.end, first)
        placed.append(Word(word.text, first, last, word.confidence, word.speaker))
        start = first
    return placed
