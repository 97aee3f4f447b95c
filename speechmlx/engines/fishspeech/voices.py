"""Recordings whose voice is imitated: heard once, in short steps, and kept for the requests that name them again."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.resample import resample
from speechmlx.engines.fishspeech.firefly import RATE, FireflyEncoder
from speechmlx.engines.parts.remembered import Remembered
from speechmlx.errors import BadRequest
from speechmlx.types import Audio, ReferenceVoice

KEPT = 16
"""Recordings, those used last."""
SHORTEST, LONGEST = 0.5, 90.0
"""Seconds of a recording; 5 to 15 are good."""
Codes = NDArray[np.int32]


def check_recording(audio: Audio) -> None:
    """Raises BadRequest for a recording that is too short, too long or silent."""
    if not SHORTEST <= audio.duration <= LONGEST:
        raise BadRequest(
            f"the voice's recording has {audio.duration:.1f} s; {SHORTEST:g} to {LONGEST:g} s are heard, and 5 to 15 s "
            "of one person's speech are good"
        )
    if not np.any(audio.samples):
        raise BadRequest("the voice's recording is silent")


class ReferenceShelf:
    """The codes of recordings."""

    def __init__(self, encoder: FireflyEncoder) -> None:
        self._encoder = encoder
        self._kept = Remembered[Codes](KEPT)

    def __len__(self) -> int:
        return len(self._kept)

    def clear(self) -> None:
        self._kept.clear()

    def hear(self, voice: ReferenceVoice) -> Generator[None, None, Codes]:
        """The codes [codebooks, frames] of a recording, in short steps; at once where it was heard before."""
        audio = voice.audio
        return self._kept.get_in_steps(
            voice.id, lambda: self._encoder.codes(resample(np.nan_to_num(audio.samples), audio.rate, RATE))
        )
