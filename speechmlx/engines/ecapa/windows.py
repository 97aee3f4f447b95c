"""The windows of speech that embeddings are taken of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from speechmlx.engines.ecapa.speech import Stretch

LENGTH, HOP = 1.5, 0.5
"""Seconds of a window, and between the starts of two."""


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """Speech from `start` to `end`, which tells who speaks from `first` to `last`; in seconds."""

    start: float
    end: float
    first: float
    last: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def windows(stretch: Stretch) -> Iterator[SpeechWindow]:
    """Windows of LENGTH over a stretch, which is one shorter window where it is shorter.

    Each tells who speaks around its middle, the outer ones up to the ends of the stretch.
    """
    length = stretch.end - stretch.start
    count = max(1, math.ceil((length - LENGTH) / HOP - 1e-6) + 1)
    step = (length - LENGTH) / (count - 1) if count > 1 else 0.0
    for i in range(count):
        start = stretch.start + i * step
        yield SpeechWindow(
            start,
            min(start + LENGTH, stretch.end),
            stretch.start if i == 0 else start + (LENGTH - step) / 2,
            stretch.end if i == count - 1 else start + (LENGTH + step) / 2,
        )
