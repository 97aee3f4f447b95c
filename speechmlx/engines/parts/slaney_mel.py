"""Mel bands as librosa makes them by default: Slaney's scale, and triangles of the area that he gave them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

LINEAR = 200 / 3
"""Hz of a mel below CORNER."""
CORNER = 1000.0
"""Hz from which on mels grow as the logarithm of the frequency: STEPS of them for a factor of OCTAVES."""
STEPS, OCTAVES = 27, 6.4

Doubles = NDArray[np.float64]


@cache
def mel_bank(rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float32]:
    """[fft // 2 + 1, bands]: what each bin of a spectrum of `rate` Hz gives to each band from `low` to `high` Hz."""
    corners = _hertz(np.linspace(_mels(low), _mels(high), bands + 2))
    bins = np.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    widths = np.diff(corners)
    rising, falling = (bins - corners[:-2]) / widths[:-1], (corners[2:] - bins) / widths[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (corners[2:] - corners[:-2])
    bank: NDArray[np.float32] = triangles.astype(np.float32)
    return bank


def _mels(hertz: float) -> float:
    if hertz < CORNER:
        return hertz / LINEAR
    return CORNER / LINEAR + float(np.log(hertz / CORNER) / np.log(OCTAVES)) * STEPS


def _hertz(mels: Doubles) -> Doubles:
    above = CORNER * OCTAVES ** ((mels - CORNER / LINEAR) / STEPS)
    return np.where(mels < CORNER / LINEAR, mels * LINEAR, above)
