"""Mixes channels to mono, block by block: the mean, or the strongest channel if the mean would cancel the speech."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from speechmlx.audio.pcm import to_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

BLOCK = 0.5
"""Seconds per block. The mix is chosen once per block."""
COMPARED_RATE = 8000
"""Approximate rate in Hz at which channels are compared. First differences at this rate keep speech and remove the
offset and most hum."""
FRAME = 400
"""Samples per frame, at COMPARED_RATE."""
CANCELLED = 0.25
"""Share of the power that the mean of uncorrelated channels has. A frame whose mean has less is cancelled."""
SHARE = 0.1
"""Share of the audible frames above which a block with cancelled frames uses one channel instead of the mean."""
AUDIBLE = 1e-3
"""Share of the power of the loudest frame above which a frame is audible."""
STRONGER = 4.0
"""Ratio of powers above which another channel replaces the current one."""
ALIKE = 0.9
"""Share of the power of the strongest channel. The first channel with at least this share is chosen."""
FADE = 0.01
"""Seconds of the fade from one mix to the next."""


def mixed(pieces: Iterator[tuple[NDArray[Any], int]]) -> Iterator[tuple[Samples, int]]:
    """Mix pieces [channels, n] of any PCM type, with their rate in Hz, to mono float32 [n]. Adds no delay."""
    mixer: Mixer | None = None
    waiting: list[Samples] = []
    for values, rate in pieces:
        channels = to_float(values)
        if mixer is not None and (mixer.channels, mixer.rate) != (len(channels), rate):
            yield from _mix_waiting(mixer, waiting)
            mixer = None
        if len(channels) == 1:
            yield channels[0], rate
            continue
        mixer = mixer or Mixer(len(channels), rate)
        waiting.append(channels)
        if sum(piece.shape[1] for piece in waiting) >= BLOCK * rate:
            yield from _mix_waiting(mixer, waiting)
    if mixer is not None:
        yield from _mix_waiting(mixer, waiting)


def _mix_waiting(mixer: Mixer, waiting: list[Samples]) -> Iterator[tuple[Samples, int]]:
    if waiting:
        block = np.concatenate(waiting, axis=1)
        waiting.clear()
        yield mixer.mix(block), mixer.rate


class Mixer:
    """Mixes the blocks of a recording, and fades between different mixes."""

    def __init__(self, channels: int, rate: int) -> None:
        self.channels, self.rate = channels, rate
        self._mean = np.full(channels, 1 / channels, np.float32)
        self._weights: Samples | None = None
        self._strongest: int | None = None

    def mix(self, block: Samples) -> Samples:
        """Mix a block [channels, n] to mono [n]."""
        weights = self._weights_of(block)
        before = weights if self._weights is None else self._weights
        self._weights = weights
        mono: Samples = weights @ block
        if not np.array_equal(before, weights):
            begin = block[:, : round(FADE * self.rate)]
            share = np.linspace(0, 1, begin.shape[1], dtype=np.float32)
            mono[: len(share)] = share * mono[: len(share)] + (1 - share) * (before @ begin)
        return mono

    def _weights_of(self, block: Samples) -> Samples:
        """Weight of each channel [channels] in the mix of `block`."""
        power, together = self._powers(block)
        total = power.sum(axis=0)
        audible = total > total.max() * AUDIBLE
        if not audible.any():
            return self._mean if self._weights is None else self._weights
        cancelled = together < CANCELLED * total / self.channels**2
        if cancelled[audible].mean() <= SHARE:
            return self._mean
        each = power.sum(axis=1)
        if self._strongest is None or each.max() > STRONGER * each[self._strongest]:
            self._strongest = int(np.argmax(each >= each.max() * ALIKE))
        only: Samples = np.eye(self.channels, dtype=np.float32)[self._strongest]
        return only

    def _powers(self, block: Samples) -> tuple[Samples, Samples]:
        """Power of each channel [channels, frames], and of their mean [frames]."""
        size = max(1, self.rate // COMPARED_RATE)
        padded = np.pad(block, ((0, 0), (0, -block.shape[1] % (size * FRAME))))
        coarse = padded[:, ::size].copy()
        for offset in range(1, size):
            coarse += padded[:, offset::size]
        frames = np.diff(coarse, axis=1, append=0).reshape(self.channels, -1, FRAME)
        mean = frames.mean(axis=0)
        return np.einsum("cft,cft->cf", frames, frames), np.einsum("ft,ft->f", mean, mean)
