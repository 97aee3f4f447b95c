"""How alike two sounds are by their spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from speechmlx.types import Samples


def magnitudes(samples: Samples) -> Samples:
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256] * np.hanning(1024)
    return np.abs(np.fft.rfft(frames))


def decibels(signal: Samples, noise: Samples) -> float:
    return 10 * float(np.log10(np.square(signal).sum() / max(np.square(noise).sum(), 1e-20)))
