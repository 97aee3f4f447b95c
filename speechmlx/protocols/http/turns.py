"""Turns of threads at the processor: who has had least of it is next, so short work is not behind long work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from speechmlx.audio.effort import pausing
from speechmlx.errors import Draining

SLICE = 0.05
"""Seconds of processor time before a turn passes on."""


class Turn:
    """One piece of work: what it has used, in seconds of processor time. `ended` ends it at its next pause."""

    def __init__(self) -> None:
        self.used = 0.0
        self.ended = False


class Turns:
    """Threads take turns, `at_once` at a time. Files that they read pass the turn on where it has lasted."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: dict[Turn, int] = {}
        self._numbers = count()
        self._changed = threading.Condition()
        self._closed = False

    def close(self) -> None:
        """End all work at its next pause."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def taken(self, turn: Turn) -> Iterator[None]:
        """A block that runs when it has its turn. Raises Draining."""
        self._take(turn)
        since = time.thread_time()

        def pause() -> None:
            nonlocal since
            if turn.ended or self._closed:
                raise Draining("nobody waits for the audio any more")
            if time.thread_time() - since < SLICE or not self._waiting:
                return
            turn.used += time.thread_time() - since
            self._give()
            self._take(turn, given=True)
            since = time.thread_time()

        try:
            with pausing(pause):
                yield
        finally:
            turn.used += time.thread_time() - since
            self._give()

    def _give(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def _take(self, turn: Turn, given: bool = False) -> None:
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

    def _next(self) -> Turn:
        return min(self._waiting, key=lambda turn: (turn.used, self._waiting[turn]))
