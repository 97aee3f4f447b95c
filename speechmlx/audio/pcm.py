"""Samples and PCM16: float32 in [-1, 1] on one side, little-endian signed 16 bit on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

SCALE = 32768.0


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
    """Samples of any PCM type, any shape → float32; integers are scaled by their full range, floats clipped."""
    full = 2.0 ** (values.dtype.itemsize * 8 - 1)
    out: Samples
    if values.dtype.kind == "u":
        out = ((values - full) / full).astype(np.float32)
    elif values.dtype.kind == "i":
        out = (values / full).astype(np.float32)
    else:
        out = np.nan_to_num(np.clip(values, -1.0, 1.0)).astype(np.float32)
    return out


def mix(channels: Samples) -> Samples:
    """[channels, n] → [n], the mean: what is in one channel only stays audible, nothing clips."""
    mono: Samples = channels[0] if len(channels) == 1 else channels.mean(axis=0, dtype=np.float32)
    return mono
