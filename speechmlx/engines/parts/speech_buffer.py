"""The last seconds of a live stream, and whether they hold speech by their loudness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio import loudness_vad

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

RATE = 16_000
PLACE = round(RATE * loudness_vad.FRAME)
"""Samples of a frame of loudness: 20 ms, as long as a place of Whisper's encoder."""
PAUSE = round(0.8 / loudness_vad.FRAME)
"""Frames without speech that end an utterance."""
LEVELS = round(30 / loudness_vad.FRAME)
"""Frames of loudness kept. They may reach back before the buffer: the noise floor is measured on all of them."""


class SpeechBuffer:
    """Samples of a live stream [n] at 16 kHz; `origin` samples of the stream came before them."""

    def __init__(self) -> None:
        self.audio: Samples = np.zeros(0, np.float32)
        self.origin = 0
        self._levels = np.zeros(0, np.float32)
        self._unmeasured = np.zeros(0, np.float32)
        """Samples at the end that are no whole frame of loudness yet."""

    def __len__(self) -> int:
        return len(self.audio)

    @property
    def places(self) -> int:
        """Whole places of the encoder's output."""
        return len(self.audio) // PLACE

    def append(self, samples: Samples) -> None:
        """Add samples [n] and measure their loudness."""
        self.audio = np.concatenate([self.audio, samples])
        rest = np.concatenate([self._unmeasured, samples])
        whole = len(rest) - len(rest) % PLACE
        self._levels = np.concatenate([self._levels, loudness_vad.levels(rest[:whole], RATE)])[-LEVELS:]
        self._unmeasured = rest[whole:]

    def drop(self, count: int) -> None:
        """Remove the first `count` samples."""
        self.audio = self.audio[count:]
        self.origin += count

    def speech(self) -> tuple[bool, bool]:
        """Whether the buffer holds speech, and whether a PAUSE follows it."""
        loud = self._loud()
        if not loud.any() or loudness_vad.is_steady(self._levels[-self._frames :][loud]):
            return False, False
        return True, not loud[-PAUSE:].any()

    def speech_end(self) -> int:
        """The place after the last frame that may be speech; 0 without any."""
        frames = np.flatnonzero(self._loud())
        return int(frames[-1]) + 1 if len(frames) else 0

    @property
    def _frames(self) -> int:
        """Frames of loudness in the buffer."""
        return max(1, round(len(self.audio) / RATE / loudness_vad.FRAME))

    def _loud(self) -> NDArray[np.bool_]:
        """Which frames of the buffer may be speech."""
        return loudness_vad.loud(self._levels)[-self._frames :]
