"""Converts samples: float32 in [-1, 1] from and to little-endian signed 16 bit integers (PCM16) and other types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

SCALE = 32768.0
INTEGERS = (2.0**15, 2.0**23, 2.0**31)
"""Full scales of integers that were stored as floats."""
SURELY_INTEGERS = 2.0**8
"""A peak from which on samples are not meant for [-1, 1]."""
OCTAVES = range(-14, 33)
"""Binary exponents of the histogram of levels; the first counts silence."""
RARE = 1e-3
"""Share of the samples that are not silence; fewer samples do not determine the scale."""
CREST = 3
"""Octaves that the peak may be above the level that more than RARE samples reach."""


def to_pcm16(samples: Samples) -> bytes:
    """float32 [n] → 2n bytes: scaled by 32768, rounded to nearest, clipped; NaN becomes silence."""
    scaled = np.rint(np.nan_to_num(np.clip(samples, -1.0, 1.0)) * np.float32(SCALE))
    pcm16: bytes = np.minimum(scaled, 32767).astype("<i2").tobytes()
    return pcm16


def from_pcm16(pcm16: bytes | bytearray | memoryview) -> Samples:
    """2n bytes → float32 [n] in [-1, 1); an odd last byte is dropped."""
    even = len(pcm16) // 2 * 2
    return np.frombuffer(memoryview(pcm16)[:even], "<i2").astype(np.float32) / np.float32(SCALE)


def to_float(values: NDArray[Any]) -> Samples:
    """Samples of any PCM type, any shape → float32; integers are scaled by their full range, floats are not scaled.

    NaN and infinity become silence. Raises BadAudio if there are no other samples.
    """
    full = 2.0 ** (values.dtype.itemsize * 8 - 1)
    out: Samples
    if values.dtype.kind == "u":
        out = ((values - full) / full).astype(np.float32)
    elif values.dtype.kind == "i":
        out = (values / full).astype(np.float32)
    else:
        finite = np.isfinite(values)
        if values.size and not finite.any():
            raise BadAudio("the audio has samples that are no numbers (NaN or infinite); allowed: -1 to 1")
        out = np.clip(np.where(finite, values, 0.0), -INTEGERS[-1], INTEGERS[-1]).astype(np.float32)
    return out


class FullScale:
    """Finds the divisor that brings a recording's float samples into [-1, 1]; 1 if they are already.

    Floats in the scale of 16, 24 or 32 bit integers are divided by that scale, others by their peak. A few samples
    far above all others are a fault and do not count.
    """

    def __init__(self) -> None:
        self._peak = 0.0
        self._octaves = np.zeros(len(OCTAVES), np.int64)

    def hear(self, samples: Samples) -> None:
        """Count the next samples, of any shape."""
        if not samples.size:
            return
        self._peak = max(self._peak, float(samples.max()), -float(samples.min()))
        found = np.frexp(samples)[1].ravel() - OCTAVES[0]
        self._octaves += np.bincount(np.clip(found, 0, len(OCTAVES) - 1), minlength=len(OCTAVES))

    @property
    def value(self) -> float:
        if self._peak <= 1.0:
            return 1.0
        beyond = np.cumsum(self._octaves[:0:-1])[::-1]
        common = OCTAVES[1 + int(np.flatnonzero(beyond >= max(1.0, beyond[0] * RARE))[-1])]
        peak = min(self._peak, 2.0 ** (common + CREST))
        if peak > SURELY_INTEGERS:
            return next(
                (full for full in INTEGERS if peak <= full), INTEGERS[-1]
            )  # resampling passes the last a little
        return max(1.0, peak)


def within_full_scale(samples: Samples) -> Samples:
    """A whole recording [n] → the same in [-1, 1]; scaled only if it exceeds that."""
    if not len(samples) or max(float(samples.max()), -float(samples.min())) <= 1.0:
        return samples
    scale = FullScale()
    scale.hear(samples)
    return scaled(samples, scale.value)


def scaled(samples: Samples, full: float) -> Samples:
    """Samples divided by `full`, the value of a FullScale."""
    if full == 1.0:
        return samples
    found: Samples = np.clip(samples / np.float32(full), -1.0, 1.0)
    return found
