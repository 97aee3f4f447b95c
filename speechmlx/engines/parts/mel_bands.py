"""Mel spectrograms of recordings, by numpy: filters of Slaney's scale, and the two kinds that speech tokens need."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Values = NDArray[np.float32]

FLOOR = 1e-5
"""Least magnitude of a band."""
WHISPER_RATE, WHISPER_FFT, WHISPER_HOP = 16_000, 400, 160


@cache
def filters(rate: int, fft: int, bands: int, highest: float) -> Values:
    """[fft // 2 + 1, bands]: triangles from 0 to `highest` Hz, linear below 1 kHz and logarithmic above.

    Each has an area of 1 over the frequencies.
    """
    corners = _hertz(np.linspace(0, _mel(highest), bands + 2))
    bins = np.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (corners[2:] - corners[:-2])
    return triangles.astype(np.float32)


def _mel(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.maximum(mel - 15, 0) * np.log(6.4) / 27))


def _magnitudes(samples: Values, fft: int, hop: int) -> Values:
    """Of the bins of frames [n, fft // 2 + 1]."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)).astype(np.float32)
    frames = sliding_window_view(samples, fft)[::hop] * window
    return np.abs(np.fft.rfft(frames)).astype(np.float32)


def whisper_mel(samples: Values, bands: int) -> Values:
    """Samples [n] at WHISPER_RATE, n > WHISPER_FFT / 2 → [n // WHISPER_HOP, bands], as Whisper's networks take it."""
    padded = np.pad(samples, WHISPER_FFT // 2, mode="reflect")
    power = np.square(_magnitudes(padded, WHISPER_FFT, WHISPER_HOP)[: len(samples) // WHISPER_HOP])
    levels = np.log10(np.maximum(power @ filters(WHISPER_RATE, WHISPER_FFT, bands, WHISPER_RATE / 2), 1e-10))
    found: Values = (np.maximum(levels, levels.max(initial=-10.0) - 8) + 4) / 4
    return found.astype(np.float32)


def reflected(samples: Values, fft: int, hop: int) -> Values:
    """Samples [n], n > fft, with what is before and behind them for windows of `fft` in the middle of each hop."""
    return np.pad(samples, (fft - hop) // 2, mode="reflect")


def log_magnitudes(
    padded: Values, rate: int, fft: int, hop: int, bands: int, highest: float, least: float = 1e-9
) -> Values:
    """All windows in samples of `reflected`, or a part of them → logarithms of the magnitudes of bands [n, bands].

    `least`: what is added to the power of a bin.
    """
    magnitudes = np.sqrt(np.square(_magnitudes(padded, fft, hop)) + least)
    return np.log(np.maximum(magnitudes @ filters(rate, fft, bands, highest), FLOOR)).astype(np.float32)


def vocoder_mel(samples: Values, rate: int, fft: int, hop: int, bands: int, highest: float) -> Values:
    """Samples [n], n > fft → logarithms of magnitudes [n // hop, bands], as vocoders of HiFi-GAN's kind take it."""
    return log_magnitudes(reflected(samples, fft, hop), rate, fft, hop, bands, highest)
