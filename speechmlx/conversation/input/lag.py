"""How far a model is behind that answers each frame it hears with a frame. Pure."""

from __future__ import annotations

from collections import deque

FRAME = 0.08
"""Seconds of a frame. What is shorter than two of them waits for the rest of a frame, and is not late."""


class Lag:
    """Times are seconds of one monotonic clock, lengths seconds of audio.

    Audio is answered at its own pace at best: what comes faster than it sounds is not late for that.
    """

    def __init__(self) -> None:
        self._came = self._answered = 0.0
        self._arrivals: deque[tuple[float, float]] = deque()
        """(audio up to here, when it had come), in order; without what is answered."""
        self._done = 0.0
        """When the audio that is answered was to be answered."""

    def came(self, seconds: float, now: float) -> None:
        """More audio came."""
        self._came += seconds
        self._arrivals.append((self._came, now))

    def answered(self, seconds: float) -> None:
        """The model answered more of the audio."""
        self._answered += seconds
        self._done = max(self._done, self._arrival()) + seconds
        while self._arrivals and self._arrivals[0][0] <= self._answered + 1e-6:
            self._arrivals.popleft()

    def at(self, now: float) -> float:
        """Seconds for which the next answer is due; 0 where the model waits for audio."""
        if self._came - self._answered < 2 * FRAME - 1e-6:
            return 0.0
        return max(0.0, now - max(self._done, self._arrival()) - FRAME)

    def _arrival(self) -> float:
        """When the audio had come that is answered next, or (before it is dropped) that was answered last."""
        return self._arrivals[0][1] if self._arrivals else self._done
