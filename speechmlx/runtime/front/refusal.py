"""WorkRefusal: why this server can do no more work, once there is a reason; it drains and ends then."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import suppress

from speechmlx.errors import BadRequest, EngineLost, TemporaryFailure
from speechmlx.service_manager import started_by

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two looks at the files."""


class WorkRefusal:
    """A setting that no engine process can run with, or that the files which this program runs from are gone.

    An upgrade by Homebrew deletes the files of the version that runs: its Python, its modules and its pages.
    """

    def __init__(self) -> None:
        self.reason: BadRequest | TemporaryFailure | None = None
        self._given = asyncio.Event()
        files = (sys.executable, __file__, asyncio.__file__)
        self._files = [file for file in files if not _is_gone(file)]

    def give(self, reason: BadRequest | TemporaryFailure, file: str = "") -> None:
        """Refuse all further work. Only the first reason counts. The log has the `file`, and clients do not."""
        if self.reason is None:
            log.error("%s%s", reason, f" ({file})" if file else "")
            self.reason = reason
            self._given.set()

    def look(self) -> None:
        """Refuse all further work where a file that this program runs from is gone."""
        if gone := next((file for file in self._files if _is_gone(file)), None):
            manager = started_by(os.environ)
            then = f", and {manager} starts it again" if manager else "; start it again"
            reason = f"files that this program runs from are gone, as after an upgrade: it cannot go on{then}"
            self.give(TemporaryFailure(reason), gone)

    def check(self) -> None:
        """Raises EngineLost where this server can do no more work."""
        self.look()
        if self.reason is not None:
            raise EngineLost(str(self.reason), ran=False)

    async def wait(self) -> None:
        """Look at the files every PERIOD seconds, until there is a reason."""
        while self.reason is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):
                    await self._given.wait()
            self.look()


def _is_gone(file: str) -> bool:
    """Whether there is no such file. A disk that does not answer says nothing of it."""
    try:
        os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
