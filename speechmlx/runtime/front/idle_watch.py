"""IdleWatch: ends the engine process when there was no work for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from speechmlx.runtime.front.hang_watch import SilenceCounter

CHECKS = 6
"""Checks in the time without work."""


class IdleWatch:
    """Calls `rest` after `seconds` in which `is_idle()` and `work()`, a count of all jobs so far, stayed; 0 never."""

    def __init__(
        self, seconds: float, is_idle: Callable[[], bool], work: Callable[[], int], rest: Callable[[], None]
    ) -> None:
        self._seconds = seconds
        self._is_idle = is_idle
        self._work = work
        self._rest = rest
        self._silence = SilenceCounter()

    async def run(self) -> None:
        """Check until cancelled."""
        while self._seconds:
            await asyncio.sleep(self._seconds / CHECKS)
            self.check()

    def check(self) -> None:
        """Count a check without work; call `rest` at the last."""
        if self._silence.check(self._work(), self._is_idle()) >= CHECKS:
            self._silence.checks = 0
            self._rest()
