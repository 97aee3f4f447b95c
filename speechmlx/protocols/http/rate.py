"""How often a client may do something: a number a second, and some at once."""

from __future__ import annotations


class Allowance:
    """`rate` a second, and `burst` at once after a pause. Times are seconds of one monotonic clock."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._then: float | None = None

    def take(self, now: float) -> float:
        """Use one. Returns the seconds by which it came too early; 0 where it is allowed."""
        if self._then is not None:
            self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        self._left -= 1.0
        return max(0.0, -self._left / self._rate)
