"""An answer's audio in the format that the client asked for, cut into pieces of a fifth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16
from speechmlx.audio.resample import Resampler
from speechmlx.types import Chunk

if TYPE_CHECKING:
    from speechmlx.types import Samples

PIECE = 0.2
"""Seconds per piece. Pieces that were not sent are dropped at an interruption, so they are short."""


class OutputEncoder:
    """One stream of chunks, all at one rate → bytes in `format`."""

    def __init__(self, format: AudioFormat) -> None:
        self.format = format
        self._resampler: Resampler | None = None

    def push(self, chunk: Chunk) -> Iterator[bytes]:
        """The audio of `chunk` in pieces, as far as the resampler gives it out."""
        if chunk.rate == self.format.rate and self.format.encoding == "pcm16":
            return self._cut(chunk.pcm16)
        if self._resampler is None:
            self._resampler = Resampler(chunk.rate, self.format.rate)
        return self._cut(self._encode(self._resampler.push(from_pcm16(chunk.pcm16))))

    def flush(self) -> Iterator[bytes]:
        """The audio that the resampler still holds."""
        if self._resampler is None:
            return iter(())
        tail, self._resampler = self._resampler.flush(), None
        return self._cut(self._encode(tail))

    def seconds(self, data: bytes) -> float:
        """How long `data` plays."""
        return self.format.seconds(len(data))

    def _encode(self, samples: Samples) -> bytes:
        return self.format.encode(samples)

    def _cut(self, data: bytes) -> Iterator[bytes]:
        size = round(PIECE * self.format.rate) * self.format.width
        return (data[start : start + size] for start in range(0, len(data), size))
