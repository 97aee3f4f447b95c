"""The input of the encoder: the levels of 80 frequency bands, every 10 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from speechmlx.types import Samples

RATE = 16_000
FFT, HOP, BANDS = 400, 160, 80
FLOOR = 1e-10
DYNAMIC_RANGE = 80.0
"""Range below the largest level of a window, in dB."""


def band_levels(windows: Samples) -> Samples:
    """Windows of samples [w, n] at RATE → levels in dB [w, n // HOP + 1, BANDS], each band with a mean of 0."""
    padded = np.pad(windows, ((0, 0), (FFT // 2, FFT // 2)))
    frames = sliding_window_view(padded, FFT, axis=1)[:, ::HOP] * _WINDOW
    spectrum = np.fft.rfft(frames).astype(np.complex64)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    levels = 10 * np.log10(np.maximum(power @ _BANK, FLOOR))
    levels = np.maximum(levels, levels.max(axis=(1, 2), keepdims=True) - DYNAMIC_RANGE)
    levelled: Samples = levels - levels.mean(axis=1, keepdims=True)
    return levelled


def _bank() -> Samples:
    """[FFT // 2 + 1, BANDS]: triangles of height 1 on the mel scale; both sides are as wide as the lower one."""
    corners = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    widths, centres = np.diff(corners)[:-1], corners[1:-1]
    slopes = (np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None] - centres) / widths
    triangles: Samples = np.maximum(1 - np.abs(slopes), 0).astype(np.float32)
    return triangles


_WINDOW = np.hamming(FFT + 1)[:-1].astype(np.float32)
_BANK = _bank()
