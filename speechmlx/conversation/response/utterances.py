"""Where what a model says begins and ends that speaks all the time, silence included. Pure."""

from __future__ import annotations

from typing import Literal

import numpy as np

from speechmlx.audio.pcm import from_pcm16
from speechmlx.types import Chunk, TextDelta

QUIET = 10 ** (-50 / 20)
"""The level of a chunk below which nobody hears a voice in it: -50 dB of full scale."""
PAUSE = 1.2
"""Seconds without a word and without a voice after which an utterance is over."""

Place = Literal["quiet", "begins", "inside", "ends"]
"""Of an event: before any utterance, its first one, one of it, its last one."""


class Utterances:
    """Tells the place of each event. An utterance begins with its first word or voice."""

    def __init__(self) -> None:
        self._inside = False
        self._quiet = 0.0
        """Seconds since the last word or voice of the utterance."""

    def place(self, event: TextDelta | Chunk) -> Place:
        """The place of the next event."""
        if isinstance(event, TextDelta) or not is_quiet(event):
            began, self._inside, self._quiet = not self._inside, True, 0.0
            return "begins" if began else "inside"
        if not self._inside:
            return "quiet"
        self._quiet += event.duration
        if self._quiet < PAUSE - 1e-6:
            return "inside"
        self._inside = False
        return "ends"


def is_quiet(chunk: Chunk) -> bool:
    """Whether there is no voice in a chunk."""
    samples = from_pcm16(chunk.pcm16)
    return not len(samples) or float(np.sqrt(np.mean(np.square(samples)))) < QUIET
