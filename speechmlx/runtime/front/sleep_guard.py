"""SleepGuard: keeps a Mac that nobody touches from going to sleep in the middle of work."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys

log = logging.getLogger(__name__)

DELAY = 5.0
"""Seconds of work before the guard: macOS waits for minutes, and most requests are over by then."""


def caffeinate() -> str | None:
    """The program that keeps macOS awake; None on other systems, where that name means other programs."""
    return shutil.which("caffeinate", path="/usr/bin:/bin") if sys.platform == "darwin" else None


class SleepGuard:
    """Runs `program` while there is work. It ends with this process, however that ends."""

    def __init__(self, program: str | None, delay: float = DELAY) -> None:
        self._program = program
        self._delay = delay
        self._starting: asyncio.TimerHandle | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def update(self, works: bool) -> None:
        """Tell whether there is work now. Must be called on the event loop."""
        if self._program is None:
            return
        loop = asyncio.get_running_loop()
        if works and self._starting is None:
            self._starting = loop.call_later(self._delay, self._start, self._program)
        elif not works and self._starting is not None:
            self._starting.cancel()
            self._starting = None
            if self._process is not None:
                self._process.terminate()
                loop.run_in_executor(None, self._process.wait)
                self._process = None

    def _start(self, program: str) -> None:
        """Hold the assertion that an idle system stays awake; its display may sleep."""
        try:
            self._process = subprocess.Popen(
                [program, "-i", "-w", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            log.warning("the system may go to sleep during work: %s does not start (%s)", program, error)
