"""The loudness of a recording after ITU-R BS.1770: what a voice's recording is brought to before it is imitated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from speechmlx.types import Samples

BLOCK, HOP = 0.4, 0.1
"""Seconds of a block, and between the beginnings of two."""
QUIETEST, BELOW_MEAN = -70.0, -10.0
"""LUFS of blocks that count, and against the loudness of those, LU."""
OFFSET = -0.691
SHELF, PASS = (1681.974450955533, 3.999843853973347, 0.7071752369554196), (38.13547087602444, 0.5003270373238773)
"""Corner in Hz, gain in dB and quality of the shelf; corner and quality of the high pass."""

Spectrum = NDArray[np.complex128]


def loudness(samples: Samples, rate: int) -> float:
    """LUFS of mono samples at `rate` Hz; -inf for silence and for less than a block."""
    size, hop = round(BLOCK * rate), round(HOP * rate)
    if len(samples) < size:
        return -np.inf
    weighted = np.square(_weighted(samples.astype(np.float64), rate))
    sums = np.concatenate([[0.0], np.cumsum(weighted)])
    starts = np.arange(0, len(samples) - size + 1, hop)
    powers = (sums[starts + size] - sums[starts]) / size
    loud = powers[_lufs(powers) > QUIETEST]
    if not len(loud):
        return -np.inf
    loud = loud[_lufs(loud) > _lufs(loud.mean()) + BELOW_MEAN]
    return float(_lufs(loud.mean()))


def brought_to(samples: Samples, rate: int, target: float) -> Samples:
    """The samples at a loudness of `target` LUFS; silence as it is."""
    now = loudness(samples, rate)
    return samples if now == -np.inf else samples * np.float32(10 ** ((target - now) / 20))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return OFFSET + 10 * np.log10(np.maximum(power, 1e-20))


def _weighted(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Samples through the two filters, by their spectrum; padded, as the filters ring for less than a second."""
    padded = 1 << (len(samples) + rate - 1).bit_length()
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(padded))
    spectrum = np.fft.rfft(samples, padded) * _shelf(z, rate) * _high_pass(z, rate)
    return np.fft.irfft(spectrum, padded)[: len(samples)]


def _shelf(z: Spectrum, rate: int) -> Spectrum:
    """Response of the high shelf; `z` is one sample's delay."""
    corner, gain, quality = SHELF
    k, high = np.tan(np.pi * corner / rate), 10 ** (gain / 20)
    band = high**0.4996667741545416
    above = high + band * k / quality + k * k, 2 * (k * k - high), high - band * k / quality + k * k
    below = 1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k
    return np.polyval(above[::-1], z) / np.polyval(below[::-1], z)


def _high_pass(z: Spectrum, rate: int) -> Spectrum:
    corner, quality = PASS
    k = np.tan(np.pi * corner / rate)
    below = 1 + k / quality + k * k, 2 * (k * k - 1), 1 - k / quality + k * k
    # BS.1770 gives the numerator as 1, -2, 1 where the denominator begins with 1.
    return np.polyval((1, -2, 1), z) / np.polyval([one / below[0] for one in below[::-1]], z)
