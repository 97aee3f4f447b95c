"""Turns of threads at the processor.

The client that has had least of it is next, and of its works the one that has: so one client's noise does not hold up
another's recording, and short work is not behind long work.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from itertools import count

from speechmlx.audio.effort import pausing
from speechmlx.errors import Draining

SLICE = 0.05
"""Seconds of processor time before a turn passes on."""


class ProcessorTurn:
    """One piece of work of `client`; "" is a client of its own. `ended` ends it at its next pause."""

    def __init__(self, client: str = "") -> None:
        self.client: Hashable = client or object()
        self.used = 0.0
        """Seconds of processor time."""
        self.ended = False


class ProcessorTurns:
    """Threads take turns, `at_once` at a time. Files that they read pass the turn on where it has lasted."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: dict[ProcessorTurn, int] = {}
        self._works: Counter[Hashable] = Counter()
        """Turns that clients have or wait for."""
        self._used: Counter[Hashable] = Counter()
        """Microseconds of processor time of those clients."""
        self._numbers = count()
        self._changed = threading.Condition()
        self._closed = False

    def close(self) -> None:
        """End all work at its next pause."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def taken(self, turn: ProcessorTurn) -> Iterator[None]:
        """A block that runs when it has its turn. Raises Draining."""
        with self._changed:
            self._works[turn.client] += 1
        try:
            self._take(turn)
        except BaseException:
            self._leave(turn)
            raise
        since = time.thread_time()

        def pause() -> None:
            nonlocal since
            if turn.ended or self._closed:
                raise Draining("nobody waits for the audio any more")
            if time.thread_time() - since < SLICE or not self._waiting:
                return
            self._give(turn, time.thread_time() - since)
            self._take(turn, given=True)
            since = time.thread_time()

        try:
            with pausing(pause):
                yield
        finally:
            self._give(turn, time.thread_time() - since)
            self._leave(turn)

    def _give(self, turn: ProcessorTurn, seconds: float) -> None:
        with self._changed:
            turn.used += seconds
            self._used[turn.client] += int(seconds * 1e6)
            self._free += 1
            self._changed.notify_all()

    def _leave(self, turn: ProcessorTurn) -> None:
        """Forget a client that has no work any more."""
        with self._changed:
            self._works[turn.client] -= 1
            if not self._works[turn.client]:
                del self._works[turn.client], self._used[turn.client]

    def _take(self, turn: ProcessorTurn, given: bool = False) -> None:
        """Wait for the turn; where it was `given` away, have it in any case."""
        with self._changed:
            self._waiting[turn] = next(self._numbers)
            try:
                while not ((self._free and self._next() is turn) or self._closed):
                    self._changed.wait()
            finally:
                del self._waiting[turn]
            if self._closed and not given:
                raise Draining("nobody waits for the audio any more")
            self._free -= 1
            self._changed.notify_all()

    def _next(self) -> ProcessorTurn:
        return min(self._waiting, key=lambda turn: (self._used[turn.client], turn.used, self._waiting[turn]))
