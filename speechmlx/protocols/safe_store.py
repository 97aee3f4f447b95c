"""The records of safe points: a small file for each live session, in a folder that servers of one machine share.

A server holds a session by its file, whose name ends with a mark of its own. One that takes the session over renames
the file, so that only one of several gets it; the one that held it before finds its file gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from speechmlx.protocols.safe_point import MAX_RECORD, SafePoint

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MARGIN = 30.0
"""Seconds for which a record is kept after a client may have come back: nobody says when a server died."""
MARK = 8
"""Bytes of the mark of a server's file, and of an unfinished one."""
UNFINISHED = ".new"


class SafeSlot:
    """The file of one session as one server holds it. Its methods block, and may be called from any thread."""

    def __init__(self, folder: Path, name: str, path: Path | None = None) -> None:
        self._folder = folder
        self._name = name
        self._exists = path is not None
        """Whether the file was written, and must be there therefore."""
        self._closed = False
        self._lock = threading.Lock()
        self._path = path or folder / f"{name}-{secrets.token_hex(MARK)}"

    def save(self, record: bytes) -> bool:
        """Put a record in the place of the last one. False: another server has the session. Raises OSError."""
        with self._lock:
            if self._closed:
                return True
            if not self._is_mine():
                return False
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = self._path.with_suffix(UNFINISHED)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(record)
            os.replace(new, self._path)
            self._exists = True
            if others(self._folder, self._name) != [self._path]:  # it was taken over in this moment
                self._path.unlink(missing_ok=True)
                return False
            return True

    def hold(self) -> bool:
        """Say that the session lives. False: another server has it. Raises OSError."""
        with self._lock:
            if self._closed:
                return True
            if not self._is_mine():
                return False
            if self._exists:
                os.utime(self._path)
            return True

    def clear(self) -> None:
        """Remove the record; another may follow. Raises OSError."""
        with self._lock:
            if self._is_mine():
                self._path.unlink(missing_ok=True)
                self._exists = False

    def close(self, remove: bool = True) -> None:
        """Write no more. `remove`: the session has ended, and its record with it. Raises OSError."""
        with self._lock:
            self._closed = True
            if remove:
                self._path.unlink(missing_ok=True)

    def _is_mine(self) -> bool:
        return not self._exists or self._path.exists()


def others(folder: Path, name: str) -> list[Path]:
    """The files of a session, the newest first."""
    return sorted((path for path in folder.glob(f"{name}-*") if path.suffix != UNFINISHED), key=_age)


def _age(path: Path) -> float:
    """Seconds since a file was last touched; one that has gone is the oldest."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


class SafeStore:
    """The files in `folder`. `window`: seconds in which a client may come back. `close` ends its thread."""

    def __init__(self, folder: Path, window: float) -> None:
        self._folder = folder
        self._limit = window + MARGIN
        self._threads = ThreadPoolExecutor(1, "sessions")
        self._closed = False

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call what blocks: beside the loop, until that ends with the server."""
        if self._closed:
            return work(*arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*arguments, **named))

    def slot(self, *name: str) -> SafeSlot:
        """The file of a session that begins here. Does not block."""
        return SafeSlot(self._folder, file_name(*name))

    def take(self, *name: str) -> tuple[SafePoint, SafeSlot] | None:
        """Take over a session that another server began, and its file; None: there is none. Blocks."""
        known = file_name(*name)
        for path in others(self._folder, known):
            if _age(path) > self._limit:
                continue
            mine = path.with_name(f"{known}-{secrets.token_hex(MARK)}")
            try:
                os.rename(path, mine)
                with mine.open("rb") as file:
                    return SafePoint.load(file.read(MAX_RECORD + 1)), SafeSlot(self._folder, known, mine)
            except FileNotFoundError:
                continue  # another server was faster
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                log.warning("the record of a live session cannot be used: %s", error)
                mine.unlink(missing_ok=True)
        return None

    def sweep(self) -> None:
        """Forget the sessions that nobody can go on with any more. Blocks."""
        for path in self._folder.glob("*-*"):
            if self._limit < _age(path) < float("inf"):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the thread, after what it has to do."""
        self._closed = True
        self._threads.shutdown(wait=True)


def file_name(*name: str) -> str:
    """The name of a session's file without its mark, which tells nothing of the session."""
    return hashlib.sha256("\0".join(name).encode()).hexdigest()
