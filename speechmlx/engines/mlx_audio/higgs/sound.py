"""The frames of one sentence as sound, while they are drawn: each chunk is what decoding the whole gives there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.mlx_audio.higgs.frames import HiggsShape
from speechmlx.engines.parts.launched import Launched

if TYPE_CHECKING:
    from speechmlx.types import Samples

CHUNKS = (5, 10, 25)
"""Frames of the first chunks of sound; the last number holds for all later ones."""
AROUND = 10
"""Frames before and behind a frame that its sound depends on: convolutions of the decoder see no further."""


@dataclass(frozen=True)
class Fades:
    """How a sentence begins and ends softly, in samples. A sentence that is shorter is left as it is."""

    rise: int
    fall: int

    def apply(self, samples: Samples, start: int, total: int | None) -> None:
        """Fade `samples`, which begin at sample `start` of `total`; None: there are more than those and `rise`."""
        stop = start + len(samples)
        if start < self.rise and (total is None or total > self.rise):
            samples[: self.rise - start] *= np.linspace(0, 1, self.rise, dtype=np.float32)[start:stop]
        if total is not None and 0 < self.fall < total and (late := total - self.fall) < stop:
            ramp = np.linspace(1, 0, self.fall, dtype=np.float32)
            samples[max(0, late - start) :] *= ramp[max(0, start - late) : stop - late]


@dataclass(eq=False)
class HiggsSound:
    """The sound of one sentence."""

    codec: Any
    shape: HiggsShape
    fades: Fades
    frames: list[NDArray[np.int32]] = field(default_factory=list)
    """As they were drawn: each codebook is one frame behind the one before."""
    is_over: bool = False
    """No more frames come."""
    _place: tuple[int, int | None] = 0, None
    """The first sample of the chunk launched last, and how many the sentence has; None: more than are known."""
    _heard: int = 0
    """Frames that are sound, or on their way to it."""
    _chunks: int = 0

    @property
    def _whole(self) -> int:
        """Frames that have all of their codes."""
        return max(0, len(self.frames) - self.shape.codebooks + 1)

    @property
    def due(self) -> bool:
        """Whether there are frames for a chunk, and those that its sound depends on."""
        return self._heard < self._whole if self.is_over else self.is_due_with(0)

    def is_due_with(self, more: int) -> bool:
        """Whether a chunk is due once `more` frames have come that do not end the sentence."""
        whole = len(self.frames) + more - self.shape.codebooks + 1
        hop = self.codec.config.acoustic_hop
        behind = max(AROUND, -(-self.fades.fall // hop))
        return whole >= self._heard + self._size + behind and whole * hop > self.fades.rise

    @property
    def is_launched(self) -> bool:
        """Whether all of it is sound, or on its way to it."""
        return self.is_over and self._heard >= self._whole

    @property
    def _size(self) -> int:
        return CHUNKS[min(self._chunks, len(CHUNKS) - 1)]

    def launch(self) -> tuple[Launched, slice]:
        """Begin to compute the next chunk, which is due: samples of it and of frames around it, and which it is."""
        start, stop = self._heard, min(self._heard + self._size, self._whole)
        before, behind = max(0, start - AROUND), min(self._whole, stop + AROUND)
        decoded = self.codec.decode(mx.array(self._codes(before, behind))).astype(mx.float32)
        mx.async_eval(decoded)
        hop = self.codec.config.acoustic_hop
        self._place = start * hop, self._whole * hop if self.is_over else None
        self._heard, self._chunks = stop, self._chunks + 1
        return Launched(decoded), slice((start - before) * hop, (stop - before) * hop)

    def faded(self, samples: Samples) -> Samples:
        """The chunk launched last [n], with what there is of the fades in it."""
        samples = samples.copy()
        self.fades.apply(samples, *self._place)
        return samples

    def _codes(self, start: int, stop: int) -> NDArray[np.int32]:
        """The codes of whole frames [n, codebooks], as the codec reads them. It has none for a begin or an end."""
        found = straightened(self.frames[start : stop + self.shape.codebooks - 1])
        return np.minimum(found, min(self.shape.begin, self.shape.end) - 1)


def straightened(frames: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Frames as they were drawn, [codebooks] each → the codes that belong together [n - codebooks + 1, codebooks]."""
    drawn = np.stack(frames)
    books = drawn.shape[1]
    count = len(drawn) - books + 1
    return np.stack([drawn[book : book + count, book] for book in range(books)], axis=1)
