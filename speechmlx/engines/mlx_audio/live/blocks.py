"""The samples of a live stream in blocks: what is computed must not depend on the size of the pieces that are fed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from speechmlx.types import Samples


class SampleBlocks:
    """Cuts a stream into blocks of `size` samples; the `first` may have another size."""

    def __init__(self, size: int, first: int | None = None) -> None:
        self.given = 0
        """Samples given out so far."""
        self._size = size
        self._next = first or size
        self._waiting = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Iterator[Samples]:
        """The blocks that are complete with `samples` [n]. Raises BadAudio unless these are finite and one channel."""
        if samples.ndim != 1 or not np.isfinite(samples).all():
            raise BadAudio("audio must be one channel of finite samples")
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float32, copy=False)])
        while len(self._waiting) >= self._next:
            yield self._give(self._next)
            self._next = self._size

    def rest(self) -> Samples:
        """What is left at the end of the stream: less than a block, perhaps nothing."""
        return self._give(len(self._waiting))

    def _give(self, count: int) -> Samples:
        block, self._waiting = self._waiting[:count], self._waiting[count:]
        self.given += count
        return block
