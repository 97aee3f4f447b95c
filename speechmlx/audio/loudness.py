"""Power of audio below the frequencies of speech: offset, wind, rumble and hum, which loudness leaves out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from speechmlx.types import Samples

RUMBLE, LOWEST = 80.0, 300.0
"""Hz below which there is no speech, only offset, wind and mains; and Hz above which nearly all speech lies."""


def low(frames: Samples, rate: int, highest: float) -> Samples:
    """The part of each frame [t, n] below `highest` Hz [t, n]."""
    base = _base(frames.shape[1], rate, highest)
    return np.asarray(frames @ base @ base.T, np.float32)


def decibels(frames: Samples) -> Samples:
    """Power of each frame [t, n] in dB of full scale [t]; -150 is silence."""
    power = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
    found: Samples = (10 * np.log10(np.maximum(power, 1e-15))).astype(np.float32)
    return found


@cache
def _base(size: int, rate: int, highest: float) -> Samples:
    """An orthonormal base [size, k] of the signals below `highest` Hz in `size` samples."""
    angles = 2 * np.pi * np.outer(np.arange(size) / rate, np.linspace(0, highest, 64))
    base, weights, _ = np.linalg.svd(np.hstack([np.cos(angles), np.sin(angles)]), full_matrices=False)
    return np.ascontiguousarray(base[:, weights > weights[0] / 100].astype(np.float32))
