"""Probabilities of speech → turns: when a person starts, pauses, goes on and has finished. Pure; counts audio only."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.conversation.settings import MAX_WAIT, TurnTaking

ONSET = 0.06
"""Seconds of speech without a gap that begin a turn: a click does not."""
HYSTERESIS = 0.15
"""A frame inside a turn is speech down to so much below the threshold."""
MAX_TURN = 300.0
"""Seconds after which a turn is over though the person speaks on: what follows is the next."""
PAUSE = 0.2
"""Seconds of silence after which the turn may be over, and work on it may begin."""
FINISHED = {"low": 0.7, "medium": 0.5, "high": 0.3}
"""The turn detector's probability from which on a turn is over, by eagerness."""


@dataclass(frozen=True)
class TurnStarted:
    """`at`: the first speech less the prefix."""

    at: float


@dataclass(frozen=True)
class TurnPaused:
    """Silence since `since`, heard until `at`; the turn may be over."""

    since: float
    at: float


@dataclass(frozen=True)
class TurnResumed:
    """The pause was none."""


@dataclass(frozen=True)
class TurnEnded:
    """The turn is over; its audio ends at `at`, with so many seconds of silence."""

    at: float
    silence: float = 0.0


@dataclass(frozen=True)
class IdleTimeout:
    """Nobody spoke from `start` to `at`."""

    start: float
    at: float


Decision = TurnStarted | TurnPaused | TurnResumed | TurnEnded | IdleTimeout


class Endpointer:
    """`hear` takes frames in order, `judge` the turn detector's answers; both say what follows from them."""

    def __init__(self, settings: TurnTaking, now: float = 0.0) -> None:
        self.settings = settings
        self.speaking = False
        self.now = self._floor = now
        """Up to where was heard."""
        self._began = now
        self._onset: float | None = None
        self._silent_since: float | None = None
        self._paused = False
        self._idle_from: float | None = None

    def hear(self, probability: float, start: float, end: float) -> list[Decision]:
        """The next frame, from `start` to `end` seconds."""
        self.now = end
        if self.speaking and end - self._began >= MAX_TURN:
            return [self._stop()]
        threshold = self.settings.threshold - (HYSTERESIS if self.speaking else 0.0)
        if probability >= max(threshold, 0.01):
            return self._speech(start, end)
        self._onset = None
        return self._silence(start, end) if self.speaking else self._idle(end)

    def judge(self, since: float, probability: float) -> list[Decision]:
        """The turn detector's answer about the pause that began at `since`; late answers count for nothing."""
        eagerness = self.settings.eagerness
        if self.speaking and self._silent_since == since and eagerness and probability >= FINISHED[eagerness]:
            return [self._stop()]
        return []

    def end(self, at: float) -> list[Decision]:
        """Audio ended at `at`, short of a frame: who speaks has stopped there."""
        if not self.speaking:
            return []
        self.now = at
        return [self._stop()]

    def expect(self, at: float | None) -> None:
        """An answer will have been heard at `at`: from then on silence counts as idle. None: it does not."""
        self._idle_from = at

    def cut(self) -> None:
        """The audio so far was committed or cleared by hand: what comes begins a new turn."""
        self.speaking, self._onset, self._silent_since, self._paused = False, None, None, False
        self._floor = self.now

    def _speech(self, start: float, end: float) -> list[Decision]:
        self._silent_since = None
        if self.speaking:
            resumed, self._paused = self._paused, False
            return [TurnResumed()] if resumed else []
        self._onset = start if self._onset is None else self._onset
        if end - self._onset < ONSET:
            return []
        self.speaking, self._idle_from = True, None
        self._began = max(self._floor, self._onset - self.settings.prefix)
        return [TurnStarted(self._began)]

    def _silence(self, start: float, end: float) -> list[Decision]:
        if self._silent_since is None:
            self._silent_since = start
        silence, decisions = end - self._silent_since, list[Decision]()
        semantic = self.settings.eagerness
        limit = MAX_WAIT[semantic] if semantic else self.settings.silence
        if not self._paused and silence >= min(PAUSE, limit / 2) - 1e-6:
            self._paused = True
            decisions.append(TurnPaused(self._silent_since, end))
        if silence >= limit - 1e-6:
            decisions.append(self._stop())
        return decisions

    def _stop(self) -> TurnEnded:
        silence = 0.0 if self._silent_since is None else self.now - self._silent_since
        self.cut()
        return TurnEnded(self.now, silence)

    def _idle(self, end: float) -> list[Decision]:
        timeout = self.settings.idle_timeout
        if timeout is None or self._idle_from is None or end < self._idle_from + timeout:
            return []
        start, self._idle_from = max(self._floor, self._idle_from), None
        self._floor = end
        return [IdleTimeout(start, end)]
