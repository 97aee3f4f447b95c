"""The audio a session has heard, by its time since the first sample, as long as somebody may ask for it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.types import Audio

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16000
"""Of all that listens."""


class AudioBuffer:
    """Mono float32 at RATE; positions are seconds since the session's first sample."""

    def __init__(self) -> None:
        self._pieces: deque[Samples] = deque()
        self._start = 0
        self._end = 0

    @property
    def start(self) -> float:
        return self._start / RATE

    @property
    def end(self) -> float:
        return self._end / RATE

    def add(self, samples: Samples) -> None:
        self._pieces.append(samples)
        self._end += len(samples)

    def slice(self, start: float, end: float) -> Audio:
        """What was heard from `start` to `end`, as far as it is still here."""
        first, last = max(round(start * RATE), self._start), min(round(end * RATE), self._end)
        parts: list[Samples] = []
        end = self._end
        for piece in reversed(self._pieces):  # mostly the last is asked for
            if end <= first:
                break
            begin = end - len(piece)
            if begin < last:
                parts.append(piece[max(0, first - begin) : last - begin])
            end = begin
        return Audio(np.concatenate(parts[::-1]) if parts else np.zeros(0, np.float32), RATE)

    def discard_before(self, before: float) -> None:
        """Nobody will ask for what lies before."""
        while self._pieces and self._start + len(self._pieces[0]) <= before * RATE:
            self._start += len(self._pieces.popleft())
