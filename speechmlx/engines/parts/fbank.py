"""Kaldi's filter bank: the log energy of each mel band, every 10 ms of sound at 16 kHz; and what FunASR makes of it.

Numbers are those of Kaldi without dither, frames at the edges that are not whole left out (`snip_edges`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from speechmlx.types import Samples

RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512
"""Samples: 25 ms, 10 ms, and the next power of two."""
LOWEST = 20.0
"""Hz from which on the bands begin. They end at half the rate."""
PREEMPHASIS = np.float32(0.97)
PCM16 = 32768.0
"""Scale of samples as FunASR takes them: those of 16-bit PCM."""
FLOOR = np.finfo(np.float32).eps
BLOCK = 1024
"""Frames that are computed at a time, which bounds the memory."""

WindowShape = Literal["hamming", "povey"]


def frames_in(samples: int) -> int:
    """The number of whole frames in so many samples."""
    return max(0, (samples - WINDOW) // HOP + 1)


def filter_bank(samples: Samples, shape: WindowShape = "hamming", bands: int = 80, scale: float = PCM16) -> Samples:
    """Samples [n] in [-1, 1], multiplied by `scale` → log energies [frames_in(n), bands].

    Fewer samples than a window are filled up with silence to one frame; none give no frame.
    """
    if 0 < len(samples) < WINDOW:
        samples = np.pad(samples, (0, WINDOW - len(samples)))
    found = np.empty((frames_in(len(samples)), bands), np.float32)
    if not len(found):
        return found
    every = sliding_window_view(samples, WINDOW)[::HOP]
    window, bank = _window(shape), _bank(bands)
    for first in range(0, len(found), BLOCK):
        frames = every[first : first + BLOCK] * np.float32(scale)
        frames -= frames.mean(axis=1, keepdims=True)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        spectrum = np.fft.rfft((frames - PREEMPHASIS * before) * window, FFT)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        found[first : first + BLOCK] = np.log(np.maximum(power @ bank, FLOOR))
    return found


def stack(features: Samples, taken: int, step: int) -> Samples:
    """Features [t, n] → [ceil(t / step), taken * n]: every `step` frames, `taken` frames around that place as one.

    The first and the last frame stand for those outside.
    """
    left = (taken - 1) // 2
    places = np.arange(-(-len(features) // step))[:, None] * step + np.arange(taken) - left
    return features[np.clip(places, 0, len(features) - 1)].reshape(len(places), taken * features.shape[1])


@dataclass(frozen=True)
class Normalisation:
    """The mean and the deviation of features over a model's training data: features are shifted, then scaled."""

    shift: Samples
    scale: Samples

    @classmethod
    def among(cls, weights: Mapping[str, Samples]) -> Normalisation:
        """That of a converted model of FunASR."""
        return cls(weights["cmvn.shift"], weights["cmvn.scale"])

    def __call__(self, features: Samples) -> Samples:
        """Features [t, n] → the same, normalised."""
        return (features + self.shift) * self.scale


@cache
def _window(shape: WindowShape) -> Samples:
    turn = np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    values = 0.54 - 0.46 * turn if shape == "hamming" else (0.5 - 0.5 * turn) ** 0.85
    return values.astype(np.float32)


@cache
def _bank(bands: int) -> Samples:
    """[FFT // 2 + 1, bands]: triangles of height 1, evenly spaced on the mel scale."""
    lowest, highest = _mel(np.array([LOWEST, RATE / 2]))
    corners = lowest + (highest - lowest) / (bands + 1) * np.arange(bands + 2)
    bins = _mel(np.arange(FFT // 2 + 1) * (RATE / FFT))[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    triangles[-1] = 0
    return np.maximum(triangles, 0).astype(np.float32)


def _mel(frequency: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return 1127 * np.log(1 + frequency / 700)
