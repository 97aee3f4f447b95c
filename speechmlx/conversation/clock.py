"""The time of a session: seconds of the audio that came in, and seconds of the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Both clocks of one session. Tests give other functions."""

    audio: Callable[[], float]
    """Seconds of input audio since the session's first sample."""
    wall: Callable[[], float] = time.monotonic
    """Seconds of a monotonic clock."""
