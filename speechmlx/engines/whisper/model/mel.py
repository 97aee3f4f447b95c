"""Log-mel spectrogram of 16 kHz audio, computed in slices so that no step gets long. A frame is 10 ms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines.parts.whisper_package import package_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

RATE = 16_000
HOP = RATE // 100
FRAMES_PER_SECOND = RATE // HOP
WINDOW_SECONDS = 30
WINDOW_FRAMES = WINDOW_SECONDS * FRAMES_PER_SECOND
FFT = RATE * 25 // 1000
SLICE_FRAMES = 2 * WINDOW_FRAMES
"""Frames computed in one slice."""
ROOM_STEP = 2 * FRAMES_PER_SECOND
"""Encoded windows are a multiple of this many frames: few shapes need few compiled kernels."""
DYNAMIC_RANGE = 8.0
"""Decades below the loudest value at which energies are clipped."""
FAINTEST, SILENCE = -10.0, -20.0
"""Log10 energies: the least one that the models were trained with, and the least one computed here."""
QUIET = -1.0
"""Log10 energy to which the loudest value is raised: models take much quieter speech for silence."""
LOW_BANDS = 1 / 27
"""Share of the mel bands that lie below speech. Offset, wind and hum in them do not count as loudness."""


@cache
def filters(n_mels: int) -> mx.array:
    """The mel filter bank [n_mels, FFT // 2 + 1] that the models were trained with (mlx-whisper ships it)."""
    banks = mx.load(str(package_folder() / "assets" / "mel_filters.npz"))
    assert isinstance(banks, dict)
    bank: mx.array = banks[f"mel_{n_mels}"]
    return bank


@cache
def _window() -> mx.array:
    return mx.array(np.hanning(FFT + 1)[:-1].astype(np.float32))


def log_mel_slices(samples: Samples, n_mels: int) -> Iterator[NDArray[np.float32]]:
    """log10 of the mel energies of `samples` [n]: n // HOP frames, in slices [<= SLICE_FRAMES, n_mels].

    Frame i is centred on sample i * HOP. As in the reference implementation, the beginning is mirrored and the end is
    followed by silence.
    """
    padded = np.pad(np.pad(samples, (FFT // 2, 0), mode="reflect"), (0, FFT // 2))
    frames = len(samples) // HOP
    for first in range(0, frames, SLICE_FRAMES):
        count = min(SLICE_FRAMES, frames - first)
        piece = mx.array(padded[first * HOP : first * HOP + (count - 1) * HOP + FFT])
        framed = mx.as_strided(piece, (count, FFT), (HOP, 1))
        power = mx.square(mx.abs(mx.fft.rfft(framed * _window())))
        yield np.array(mx.log10(mx.maximum(power @ filters(n_mels).T, 10**SILENCE)))


def normalize(log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale log10 energies [frames, n_mels] to what the models expect; the loudest band of speech is at least QUIET."""
    top = float(log_mel[:, round(log_mel.shape[1] * LOW_BANDS) :].max())
    raised = max(0.0, QUIET - top) if top > SILENCE + 1 else 0.0
    least = max(FAINTEST, top + raised - DYNAMIC_RANGE)
    kept = np.clip(log_mel + np.float32(raised), np.float32(least), np.float32(max(least, top + raised)))
    return (kept + np.float32(4.0)) / np.float32(4.0)


def window(mel: NDArray[np.float32], start: int, end: int, frames: int = WINDOW_FRAMES) -> NDArray[np.float32]:
    """Frames [start, end) of the spectrogram `mel`, padded with zeros to [frames, n_mels]."""
    piece = mel[start : min(end, start + frames)]
    return np.pad(piece, ((0, frames - len(piece)), (0, 0)))


def roomy(frames: int) -> int:
    """`frames` rounded up to a multiple of ROOM_STEP, at most WINDOW_FRAMES."""
    return min(WINDOW_FRAMES, -(-frames // ROOM_STEP) * ROOM_STEP)
