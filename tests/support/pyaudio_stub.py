"""Stands in for the module pyaudio, which needs a sound card: WhisperLive's clients import it to play and to record."""

from __future__ import annotations

from typing import Any

paInt16 = 8


class PyAudio:
    """A machine without a microphone."""

    def open(self, **options: Any) -> None:
        raise OSError("there is no microphone")

    def terminate(self) -> None:
        pass
