"""The audio of a session that is still needed, by its time since the first sample."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.types import Audio

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16000
"""Hz of all audio in the input half: detectors and recognisers take it."""


@dataclass(frozen=True)
class InputStart:
    """Where a session goes on that another server has begun: `at` seconds into it.

    `items`: ids of the turns that come, in order; those after them have new ones.
    """

    at: float = 0.0
    items: tuple[str, ...] = ()


BEGINNING = InputStart()


class AudioBuffer:
    """Mono float32 at RATE. Positions are seconds since the session's first sample; the audio comes from `start` on."""

    def __init__(self, start: float = 0.0) -> None:
        self._pieces: deque[Samples] = deque()
        self._start = self._end = round(start * RATE)

    @property
    def start(self) -> float:
        """Where the kept audio begins."""
        return self._start / RATE

    @property
    def end(self) -> float:
        """Where the audio ends."""
        return self._end / RATE

    def add(self, samples: Samples) -> None:
        """Append samples [n]."""
        self._pieces.append(samples)
        self._end += len(samples)

    def slice(self, start: float, end: float) -> Audio:
        """The audio from `start` to `end`, as far as it is kept."""
        first, last = max(round(start * RATE), self._start), min(round(end * RATE), self._end)
        parts: list[Samples] = []
        piece_end = self._end
        for piece in reversed(self._pieces):  # the newest is needed most often
            if piece_end <= first:
                break
            begin = piece_end - len(piece)
            if begin < last:
                parts.append(piece[max(0, first - begin) : last - begin])
            piece_end = begin
        return Audio(np.concatenate(parts[::-1]) if parts else np.zeros(0, np.float32), RATE)

    def discard_before(self, position: float) -> None:
        """Drop the pieces that end before `position`."""
        while self._pieces and self._start + len(self._pieces[0]) <= position * RATE:
            self._start += len(self._pieces.popleft())
