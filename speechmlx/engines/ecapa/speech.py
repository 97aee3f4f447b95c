"""Stretches of speech, from the probability of speech in frames of 32 ms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechmlx.engines.silero import BLOCK, FRAME, Detector, Network, Unlevelled
from speechmlx.types import Probability

if TYPE_CHECKING:
    from speechmlx.types import Samples

ONSET, OFFSET = 0.5, 0.35
"""Probability from which speech begins, and under which it may end."""
HANGOVER = 0.3
"""Seconds of the longest pause inside a stretch."""
LEAD = 0.06
"""Seconds of sound before the first probable frame that belong to the speech."""
SHORTEST = 0.1
"""Seconds; shorter sounds are no speech."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech from `start` to `end`, in seconds."""

    start: float
    end: float


class SpeechDetector:
    """The probability of speech in audio as it is and at a normalised level, whichever is higher.

    Normalising helps with quiet voices, but the noise that it raises before the first words can hide them.
    """

    def __init__(self, network: Network) -> None:
        self._detectors = Detector(network), Detector(network, Unlevelled())

    def feed(self, samples: Samples) -> Iterator[Probability | None]:
        """Process the next samples [n] at 16 kHz. None ends a step."""
        for start in range(0, len(samples), BLOCK * FRAME):
            block = samples[start : start + BLOCK * FRAME]
            yield from _higher(*(detector.feed(block) for detector in self._detectors))
            yield None

    def finish(self) -> Iterator[Probability | None]:
        """Process the last frame, which may be shorter."""
        yield from _higher(*(detector.finish() for detector in self._detectors))


def _higher(some: Iterator[Probability | None], others: Iterator[Probability | None]) -> Iterator[Probability]:
    for one, other in zip(some, others, strict=True):
        if one is not None and other is not None:
            yield one if one.value >= other.value else other


class SpeechFinder:
    """Finds stretches in frames that follow each other."""

    def __init__(self) -> None:
        self.open: Stretch | None = None
        """The stretch that goes on, up to the last frame that may be speech."""
        self.quiet_until = 0.0
        """Time up to which there is surely no speech after the last stretch."""

    def add(self, frame: Probability) -> Stretch | None:
        """Add the next frame. The stretch that it ends, if it does."""
        if self.open is None:
            if frame.value < ONSET:
                self.quiet_until = max(self.quiet_until, frame.end - LEAD)
                return None
            self.open = Stretch(max(self.quiet_until, frame.start - LEAD), frame.end)
        elif frame.value >= OFFSET:
            self.open = Stretch(self.open.start, frame.end)
        elif frame.end - self.open.end >= HANGOVER:
            return self.finish()
        return None

    def finish(self) -> Stretch | None:
        """The stretch that goes on, at the end of the audio or after a long pause; None if there is none."""
        ended, self.open = self.open, None
        if ended is None or ended.end - ended.start < SHORTEST + LEAD:
            return None
        self.quiet_until = ended.end
        return ended
