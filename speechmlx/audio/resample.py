"""Sample rate conversion with soxr, for a whole recording or in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from speechmlx.types import Samples


class Resampler:
    """Converts a stream from `source` Hz to `target` Hz: n samples in total give round(n * target / source)."""

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target
        self._stream = None if source == target else soxr.ResampleStream(source, target, 1, dtype="float32")
        self._taken = 0
        self._given = 0

    def push(self, samples: Samples) -> Samples:
        """Convert the next samples [n]. Returns the samples that are ready [m]; m may be 0 while the filter fills."""
        if self._stream is None:
            return samples
        out: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32))
        self._taken += len(samples)
        self._given += len(out)
        return out

    def flush(self) -> Samples:
        """End the stream and return the samples left in the filter. The resampler cannot be used afterwards."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        tail: Samples = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        owed = max(0, round(self._taken * self.target / self.source) - self._given)
        return np.pad(tail[:owed], (0, owed - min(owed, len(tail))))


def resample(samples: Samples, source: int, target: int) -> Samples:
    """float32 [n] at `source` Hz → [round(n * target / source)] at `target` Hz."""
    resampler = Resampler(source, target)
    return np.concatenate([resampler.push(samples), resampler.flush()])
