"""Stands for the package sounddevice in a command that a test starts with this folder on its path.

The microphone hears the PCM16 file of MICROPHONE at the speed of speech, then silence, at any rate. The loudspeaker
takes sound at the speed of speech, and appends it to the file of LOUDSPEAKER.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOCK_SECONDS = 0.02


class PortAudioError(Exception):
    """An error of PortAudio."""


class _Stream:
    def __init__(
        self, samplerate: int, channels: int, dtype: str, callback: Callable[..., None], blocksize: int = 0
    ) -> None:
        assert (channels, dtype) == (1, "int16")
        self._rate = samplerate
        self._size = 2 * (blocksize or round(samplerate * BLOCK_SECONDS))
        self._callback = callback
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    close = stop

    def _run(self) -> None:
        began, count = time.monotonic(), 0
        while not self._over.is_set():
            self._step()
            count += 1
            time.sleep(max(0.0, began + count * self._size / 2 / self._rate - time.monotonic()))

    def _step(self) -> None:
        raise NotImplementedError


class RawInputStream(_Stream):
    """The microphone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting = Path(os.environ["MICROPHONE"]).read_bytes()

    def _step(self) -> None:
        block, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
        self._callback(block.ljust(self._size, b"\0"), self._size // 2, None, None)


class RawOutputStream(_Stream):
    """The loudspeaker."""

    def _step(self) -> None:
        out = bytearray(self._size)
        self._callback(out, self._size // 2, None, None)
        with Path(os.environ["LOUDSPEAKER"]).open("ab") as file:
            file.write(out)
