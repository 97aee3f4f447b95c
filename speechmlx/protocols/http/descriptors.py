"""File descriptors: the limit of the process, and one line in the log where they run out."""

from __future__ import annotations

import errno
import logging
import resource
import time
from collections.abc import Callable
from contextlib import suppress

WANTED = 8192
"""Open files and connections. macOS gives a service 256, which 250 clients use up."""
QUIET = 60.0
"""Seconds after a line in the log in which there is no other."""

log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit of open files to WANTED, or to the hard one where that is lower. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # the system may have a lower limit that it does not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class ShortageLog:
    """Logs that descriptors have run out: once, however often connections fail, and again after QUIET seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until = 0.0

    def takes(self, error: object) -> bool:
        """Whether `error` says that there are no descriptors left; it is logged then."""
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            return False
        if self._now() >= self._until:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            log.warning(
                "%d files and connections are open, which is the limit (%s): new ones wait until others close; "
                "ulimit -n raises it",
                limit,
                error.strerror,
            )
            self._until = self._now() + QUIET
        return True
