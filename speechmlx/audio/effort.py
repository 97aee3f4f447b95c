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

from speechmlx.errors import BadAudio, SpeechError

START = 5.0
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
        self._failure: SpeechError | None = None
        self.start()

    def start(self) -> None:
        """Count the time of this thread from now on."""
        self._since = time.thread_time()

    def made(self, seconds: float) -> None:
        """Count sound that was decoded."""
        self._sound += seconds

    def goes_on(self) -> bool:
        """Pause where that is asked for. False where the work is to end."""
        now = time.thread_time()
        self._used += now - self._since
        if self._failure is None and self._used > START + self._sound / SPEED:
            self._failure = BadAudio(
                f"the audio is too much work: {self._used:.1f} s of it gave {self._sound:.1f} s of sound; "
                "is it damaged, or no recording?"
            )
        elif self._failure is None and (pause := getattr(_thread, "pause", None)):
            try:
                pause()
            except SpeechError as error:
                self._failure = error
        self._since = time.thread_time()
        return self._failure is None

    @contextmanager
    def judged(self) -> Iterator[None]:
        """A block that reads the file. Raises what ended the work, in place of what the reader makes of that."""
        try:
            yield
        except BadAudio:
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure


class CheckedFile:
    """`file` for reading, which ends early when its effort is to end: PyAV drops exceptions, and prints them."""

    def __init__(self, file: BinaryIO, effort: Effort) -> None:
        self._file, self._effort = file, effort

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size) if self._effort.goes_on() else b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._effort.goes_on()
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
