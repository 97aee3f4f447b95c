"""The processor time that reading a file may take, by the sound that it gives; and pauses between its parts.

A demuxer may search a file of noise, or of a million empty parts, for minutes before its first sample. It calls for the
next bytes all the while, and there it is stopped or has to wait.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from speechmlx.errors import BadAudio

START = 10.0
"""Seconds of processor time that any file may take."""
SPEED = 10.0
"""Seconds of sound for which it may take one more. Every decoder is ten times as fast, and more."""

_thread = threading.local()


@contextmanager
def pausing(pause: Callable[[], None]) -> Iterator[None]:
    """A block in which files that are read on this thread call `pause` again and again. It may block, and raise."""
    _thread.pause = pause
    try:
        yield
    finally:
        _thread.pause = None


class Effort:
    """The processor time that one file has taken. `start` it on the thread that goes on with the work."""

    def __init__(self) -> None:
        self._used = 0.0
        self._sound = 0.0
        self.start()

    def start(self) -> None:
        """Count the time of this thread from now on."""
        self._since = time.thread_time()

    def made(self, seconds: float) -> None:
        """Count sound that was decoded."""
        self._sound += seconds

    def check(self) -> None:
        """Pause where that is asked for. Raises BadAudio where the file has taken too long."""
        now = time.thread_time()
        self._used += now - self._since
        if self._used > START + self._sound / SPEED:
            raise BadAudio(
                f"the audio is too much work: {self._used:.0f} s of it gave {self._sound:.0f} s of sound; "
                "is it damaged, or no recording?"
            )
        if pause := getattr(_thread, "pause", None):
            pause()
        self._since = time.thread_time()


class CheckedFile:
    """`file` for reading. Each access checks the effort."""

    def __init__(self, file: BinaryIO, effort: Effort) -> None:
        self._file, self._effort = file, effort

    def read(self, size: int = -1) -> bytes:
        self._effort.check()
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._effort.check()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
