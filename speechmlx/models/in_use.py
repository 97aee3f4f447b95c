"""Marks on models that servers use, so that `audio-server rm` leaves them alone. Any number of servers share a cache.

A mark is a shared lock on a file; the system takes it away from a process that dies. Where the cache cannot be written
or its file system has no locks there are no marks, and `rm` cannot delete or is on its own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from speechmlx.errors import Busy


class Marks:
    """The models that this process uses."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._held: dict[str, int] = {}
        """Open files by the name of the model."""

    def hold(self, name: str) -> bool:
        """Mark a model; may be called again. False while it is being deleted."""
        if name in self._held:
            return True
        try:
            file = os.open(_file(name, self._cache), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError:
            os.close(file)
        else:
            self._held[name] = file
        return True

    def keep(self, names: Iterable[str]) -> None:
        """Take the marks off all models but these."""
        for name in self._held.keys() - set(names):
            os.close(self._held.pop(name))


@contextmanager
def alone(name: str, cache: Path) -> Iterator[None]:
    """Keep every server from beginning to use a model. Raises Busy while one uses it."""
    file = os.open(_file(name, cache), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"{name} is in use by a server; unload it there or stop that server, then try again", retry_after=5
            ) from None
        except OSError:  # no locks on this file system
            pass
        yield
    finally:
        os.close(file)


def _file(name: str, cache: Path) -> Path:
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return locks / f"{name}.use"
