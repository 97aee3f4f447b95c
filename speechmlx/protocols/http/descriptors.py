"""File descriptors: the limit of the process, and one line in the log where they run out."""

from __future__ import annotations

import errno
import logging
import resource
import time
from collections.abc import Callable
from contextlib import suppress

WANTED = (8192, 4096, 2048, 1024)
"""Open files and connections, the first that the system gives. macOS starts a service with 256, which 250 clients use
up, and refuses more than its kern.maxfilesperproc, whatever the hard limit says."""
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
NO_MEMORY = (errno.ENOBUFS, errno.ENOMEM)
QUIET = 60.0
"""Seconds after a line in the log in which there is no other."""

log = logging.getLogger(__name__)


def raise_limit() -> int:
    """Raise the soft limit of open files to one of WANTED, or to the hard one where that is lower.

    Returns the limit, and logs one that is low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return soft
    for most in WANTED:
        wanted = most if hard == resource.RLIM_INFINITY else min(hard, most)
        if soft >= wanted:
            break
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft < WANTED[0]:
        log.warning("only %d files and connections can be open at once: the system allows no more", soft)
    return soft


class ShortageLog:
    """Logs that there is no room for connections: once, however often they fail, and again after QUIET seconds.

    asyncio accepts none for a second then, and tells of it a hundred times.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until = 0.0

    def takes(self, error: object) -> bool:
        """Whether `error` says that there are no descriptors left, or no memory; it is logged then."""
        if not isinstance(error, OSError) or error.errno not in NO_DESCRIPTOR + NO_MEMORY:
            return False
        if self._now() < self._until:
            return True
        self._until = self._now() + QUIET
        if error.errno in NO_MEMORY:
            log.warning("the system has no memory for more connections (%s): new ones wait", error.strerror)
        else:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            log.warning(
                "%d files and connections are open, which is the limit (%s): new ones wait until others close; "
                "ulimit -n raises it",
                limit,
                error.strerror,
            )
        return True
