"""The loudness of a recording, asked in mel frames: how much of a stretch may be speech, and where a word ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.audio import loudness_vad
from speechmlx.engines.whisper.model import mel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAST_WORD = (0.1, 0.6)
"""Seconds after the beginning of a word between which it ends."""


@dataclass(frozen=True)
class RecordingLoudness:
    """Per loudness_vad.FRAME: `level` [n] in dB of full scale, and whether it may be speech [n].

    Both are empty when a request does not use loudness; then nothing may be speech.
    """

    level: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    speech: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def speech_between(self, first: int, end: int) -> float:
        """Seconds of possible speech in mel frames [first, end)."""
        low, high = (round(frame / mel.FRAMES_PER_SECOND / loudness_vad.FRAME) for frame in (first, end))
        return float(np.count_nonzero(self.speech[low:high]) * loudness_vad.FRAME)

    def word_end(self, start: int, place: int) -> int:
        """The end of a word that begins `place` places after mel frame `start`: the quietest moment of LAST_WORD.

        In mel frames from `start`.
        """
        begins = start / mel.FRAMES_PER_SECOND + place * loudness_vad.FRAME
        low, high = (round((begins + after) / loudness_vad.FRAME) for after in LAST_WORD)
        level = self.level[low:high]
        end = (low + int(np.argmin(level)) if len(level) else high) * loudness_vad.FRAME
        return round(end * mel.FRAMES_PER_SECOND) - start
