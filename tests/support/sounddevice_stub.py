"""The microphone of the package sounddevice: it hears the tones of scripted_conversation, then its user says "stop"."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from support.scripted_conversation import RATE, tone


class InputStream:
    """Calls `callback` with blocks of float32 [n, 1] on a thread of its own, as PortAudio does."""

    def __init__(self, samplerate: int, channels: int, callback: Callable[..., None]) -> None:
        assert (samplerate, channels) == (RATE, 1)
        self._callback = callback
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._hear)

    def __enter__(self) -> InputStream:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stopped.set()
        self._thread.join()

    def _hear(self) -> None:
        pcm16 = np.frombuffer(tone(0.6, rate=RATE) + tone(1.0, 0.0, RATE), "<i2")
        for start in range(0, len(pcm16), 1600):
            if self._stopped.is_set():
                return
            block = (pcm16[start : start + 1600] / 32768).astype(np.float32)
            self._callback(block[:, None], len(block), None, None)
            time.sleep(0.001)
