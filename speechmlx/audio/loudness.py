"""What lies under speech: where loudness is measured, offset, wind, rumble and hum are left out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from speechmlx.types import Samples

RUMBLE, LOWEST = 80.0, 300.0
"""Hz under which nobody speaks: there are offset, wind and mains. And Hz above which nearly all of speech is heard."""


def low(frames: Samples, rate: int, highest: float) -> Samples:
    """What of each frame [t, n] is under `highest` Hz [t, n]."""
    base = _base(frames.shape[1], rate, highest)
    return np.asarray(frames @ base @ base.T, np.float32)


def decibels(frames: Samples) -> Samples:
    """Power of each frame [t, n] in dB of full scale [t]; -150 is silence."""
    power = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
    found: Samples = (10 * np.log10(np.maximum(power, 1e-15))).astype(np.float32)
    return found


@cache
def _base(size: int, rate: int, highest: float) -> Samples:
    """An orthonormal base [size, k] of all that is under `highest` Hz in so few samples."""
    angles = 2 * np.pi * np.outer(np.arange(size) / rate, np.linspace(0, highest, 64))
    base, weights, _ = np.linalg.svd(np.hstack([np.cos(angles), np.sin(angles)]), full_matrices=False)
    return np.ascontiguousarray(base[:, weights > weights[0] / 100].astype(np.float32))
