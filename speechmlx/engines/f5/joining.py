"""Joins pieces of speech that were made apart: the end of each fades while the next begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from speechmlx.engines.parts.vocos import RATE

if TYPE_CHECKING:
    from speechmlx.types import Samples

FADE = round(0.15 * RATE)
"""Samples in which one piece fades into the next."""


class Joiner:
    """What is held back of one request's speech: the end of the last piece."""

    def __init__(self) -> None:
        self._held: Samples = np.zeros(0, np.float32)

    def add(self, piece: Samples) -> Samples:
        """The speech that is known once `piece` follows: the end of it is held back."""
        shared = min(len(self._held), FADE, len(piece))
        fading = np.linspace(1, 0, shared, dtype=np.float32) if shared else np.zeros(0, np.float32)
        split = len(self._held) - shared
        mixed = self._held[split:] * fading + piece[:shared] * (1 - fading)
        joined = np.concatenate([self._held[:split], mixed, piece[shared:]])
        keep = max(0, len(joined) - FADE)
        self._held = joined[keep:]
        return joined[:keep]

    def end(self) -> Samples:
        """What was held back. The next piece begins by itself."""
        held, self._held = self._held, np.zeros(0, np.float32)
        return held
