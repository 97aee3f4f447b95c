"""HangWatch: notices an engine process in which a step never ends, or which never comes up, and kills it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from speechmlx.runtime.ipc.messages import Probe

if TYPE_CHECKING:
    from speechmlx.runtime.front.supervisor import Supervisor

log = logging.getLogger(__name__)

CHECKS = 6
"""Checks in a `step_timeout`. The engine process is asked for a sign of life at half of it."""
LOAD = 10
"""Times `step_timeout` that a slice of a model's load may take: it reads a disk, or runs a package's code whole."""
STARTUP = 120.0
"""Seconds that an engine process may take to come up, at least."""


class SilenceCounter:
    """Counts checks without a sign of life. A check counts as one however late it is.

    So a suspended machine or a server process that stood still is no hang of the engine process.
    """

    def __init__(self) -> None:
        self.checks = 0
        self._heard = -1

    def check(self, heard: int, waits: bool) -> int:
        """Checks in a row, this one included, in which `heard` stayed the same while somebody `waits`."""
        self.checks = self.checks + 1 if waits and heard == self._heard else 0
        self._heard = heard
        return self.checks


class HangWatch:
    """Kills `engine` when nothing came from it for `timeout` seconds while `waits()`; 0 never. `on_hang` is told.

    While it loads a model, LOAD times as long.
    """

    def __init__(
        self, engine: Supervisor, timeout: float, waits: Callable[[], bool], on_hang: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._timeout = timeout
        self._waits = waits
        self._on_hang = on_hang
        self._silence = SilenceCounter()

    async def run(self) -> None:
        """Check until cancelled."""
        while self._timeout:
            await asyncio.sleep(self._timeout / CHECKS)
            self.check()

    def check(self) -> None:
        """Ask for a sign of life after half the time without one, kill at the end of it."""
        silent = self._silence.check(self._engine.heard, self._waits() and self._engine.running)
        if silent == CHECKS // 2 and self._engine.up:
            self._engine.send(Probe())
        elif not self._engine.up:
            if silent * self._timeout >= CHECKS * max(STARTUP, self._timeout):
                self._kill("did not come up and was killed")
        elif not self._engine.loading and silent >= CHECKS:
            self._kill(f"ended no step for {self._timeout:g} s and was killed (step_timeout)")
        elif silent >= CHECKS * LOAD:
            limit = LOAD * self._timeout
            self._kill(f"ended no slice of a load for {limit:g} s and was killed ({LOAD} times step_timeout)")

    def _kill(self, reason: str) -> None:
        self._silence.checks = 0
        self._on_hang()
        self._engine.kill(reason)
