"""Endpointing: probabilities of speech → where turns start, pause, resume and end. Pure; times are seconds of audio."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from speechmlx.conversation.settings import MAX_WAIT, TurnTaking

ONSET = 0.06
"""Seconds of uninterrupted speech that begin a turn: a click does not."""
HYSTERESIS = 0.15
"""Within a turn a frame is speech down to so much below the threshold."""
LOWEST_THRESHOLD = 0.01
MAX_TURN = 300.0
"""Seconds after which a turn ends though the person speaks on: what follows is the next turn."""
PAUSE = 0.2
"""Seconds of silence after which the turn may be over, and work on it may begin."""
FINISHED = {"low": 0.7, "medium": 0.5, "high": 0.3}
"""The turn detector's probability from which on a turn is over, by eagerness."""
EPSILON = 1e-6


@dataclass(frozen=True)
class TurnStarted:
    """A person speaks. `at`: the first speech less the prefix."""

    at: float


@dataclass(frozen=True)
class TurnPaused:
    """Silence from `since` to `at`: the turn may be over."""

    since: float
    at: float


@dataclass(frozen=True)
class TurnResumed:
    """Speech again after a TurnPaused."""


@dataclass(frozen=True)
class TurnEnded:
    """The turn is over. Its audio ends at `at`, with `silence` seconds of silence."""

    at: float
    silence: float = 0.0


@dataclass(frozen=True)
class IdleTimeout:
    """Nobody spoke from `start` to `at`."""

    start: float
    at: float


Decision = TurnStarted | TurnPaused | TurnResumed | TurnEnded | IdleTimeout


class State(Enum):
    """Where the endpointer is in a turn."""

    IDLE = auto()
    ONSET = auto()
    """Speech, for less than ONSET seconds."""
    SPEAKING = auto()
    """In a turn, perhaps in a silence that is no pause yet."""
    PAUSED = auto()
    """In a turn, in a silence that was reported."""


class Endpointer:
    """`push` takes a speech detector's frames in order, `judge` a turn detector's answers. Both return decisions."""

    def __init__(self, settings: TurnTaking, position: float = 0.0) -> None:
        self.settings = settings
        self.state = State.IDLE
        self.position = position
        """Seconds up to which frames were pushed."""
        self._earliest = position
        """Seconds before which no turn can start: the audio there belongs to another."""
        self._start = position
        """Seconds at which the turn, or the onset, started."""
        self._silence_start: float | None = None
        self._idle_from: float | None = None

    @property
    def in_turn(self) -> bool:
        """Whether a turn is under way."""
        return self.state in (State.SPEAKING, State.PAUSED)

    def push(self, probability: float, start: float, end: float) -> list[Decision]:
        """The next frame: the probability of speech from `start` to `end` seconds."""
        self.position = end
        if self.in_turn and end - self._start >= MAX_TURN:
            return [self._end_turn()]
        threshold = self.settings.threshold - (HYSTERESIS if self.in_turn else 0.0)
        if probability >= max(threshold, LOWEST_THRESHOLD):
            return self._on_speech(start, end)
        if self.in_turn:
            return self._on_silence(start, end)
        self.state = State.IDLE
        return self._on_idle(end)

    def judge(self, since: float, probability: float) -> list[Decision]:
        """The turn detector's probability that the pause since `since` ends the turn. A late one is ignored."""
        eagerness = self.settings.eagerness
        if self.in_turn and self._silence_start == since and eagerness and probability >= FINISHED[eagerness]:
            return [self._end_turn()]
        return []

    def end(self, at: float) -> list[Decision]:
        """The audio ends at `at` seconds, short of a frame: end the turn under way."""
        if not self.in_turn:
            return []
        self.position = at
        return [self._end_turn()]

    def expect(self, at: float | None) -> None:
        """From `at` seconds on, when an answer has been played, silence counts as idle. None: it does not."""
        self._idle_from = at

    def _on_speech(self, start: float, end: float) -> list[Decision]:
        self._silence_start = None
        if self.in_turn:
            paused, self.state = self.state is State.PAUSED, State.SPEAKING
            return [TurnResumed()] if paused else []
        if self.state is State.IDLE:
            self.state, self._start = State.ONSET, start
        if end - self._start < ONSET:
            return []
        self.state, self._idle_from = State.SPEAKING, None
        self._start = max(self._earliest, self._start - self.settings.prefix)
        return [TurnStarted(self._start)]

    def _on_silence(self, start: float, end: float) -> list[Decision]:
        if self._silence_start is None:
            self._silence_start = start
        silence, decisions = end - self._silence_start, list[Decision]()
        eagerness = self.settings.eagerness
        limit = MAX_WAIT[eagerness] if eagerness else self.settings.silence
        if self.state is State.SPEAKING and silence >= min(PAUSE, limit / 2) - EPSILON:
            self.state = State.PAUSED
            decisions.append(TurnPaused(self._silence_start, end))
        if silence >= limit - EPSILON:
            decisions.append(self._end_turn())
        return decisions

    def _end_turn(self) -> TurnEnded:
        silence = 0.0 if self._silence_start is None else self.position - self._silence_start
        self.state, self._silence_start, self._earliest = State.IDLE, None, self.position
        return TurnEnded(self.position, silence)

    def _on_idle(self, end: float) -> list[Decision]:
        timeout = self.settings.idle_timeout
        if timeout is None or self._idle_from is None or end < self._idle_from + timeout:
            return []
        start, self._idle_from = max(self._earliest, self._idle_from), None
        self._earliest = end
        return [IdleTimeout(start, end)]
