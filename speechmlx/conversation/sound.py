"""An answer's audio in the format that its listener asked for, cut into pieces of a fifth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from speechmlx.audio import g711
from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import Resampler, resample
from speechmlx.conversation.history import Item, Part
from speechmlx.conversation.settings import Format
from speechmlx.types import Audio, Chunk

if TYPE_CHECKING:
    from speechmlx.types import Samples

RETRIEVED_RATE = 24000
PIECE = 0.2
"""Seconds: what is unsent when somebody interrupts can be dropped, what is sent cannot."""


class Encoder:
    """One stream of chunks, of one rate → bytes in `format`."""

    def __init__(self, format: Format) -> None:
        self.format = format
        self._resampler: Resampler | None = None

    def push(self, chunk: Chunk) -> Iterator[bytes]:
        if chunk.rate == self.format.rate and self.format.encoding == "pcm16":
            return self._cut(chunk.pcm16)
        if self._resampler is None:
            self._resampler = Resampler(chunk.rate, self.format.rate)
        return self._cut(self._encode(self._resampler.push(from_pcm16(chunk.pcm16))))

    def flush(self) -> Iterator[bytes]:
        """What the filter still holds."""
        if self._resampler is None:
            return iter(())
        tail, self._resampler = self._resampler.flush(), None
        return self._cut(self._encode(tail))

    def seconds(self, data: bytes) -> float:
        return len(data) / self.format.width / self.format.rate

    def _encode(self, samples: Samples) -> bytes:
        encoding = self.format.encoding
        return to_pcm16(samples) if encoding == "pcm16" else g711.encode(samples, encoding)

    def _cut(self, data: bytes) -> Iterator[bytes]:
        size = round(PIECE * self.format.rate) * self.format.width
        return (data[place : place + size] for place in range(0, len(data), size))


def retrieved(item: Item) -> Item:
    """The item with its audio at RETRIEVED_RATE, as clients read it back."""
    return replace(item, parts=tuple(_part_at_rate(part) for part in item.parts))


def recording(item: Item) -> Audio | None:
    """What a person said aloud, as far as it is kept."""
    parts = [part for part in item.parts if item.role == "user" and part.pcm16]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 and item.kind == "message" else None


def unheard(item: Item) -> Audio | None:
    """The recording in a person's item whose words are not known."""
    parts = [part for part in item.parts if item.role == "user" and _is_unheard(part)]
    pcm16 = b"".join(part.pcm16 or b"" for part in parts)
    return Audio(from_pcm16(pcm16), parts[0].rate) if pcm16 else None


def place_unheard(item: Item) -> int:
    """Which of the item's parts is the (first) recording whose words are not known."""
    return next((place for place, part in enumerate(item.parts) if _is_unheard(part)), 0)


def worded(item: Item, text: str) -> Item:
    """The item with the words of its recording."""
    parts, rest = list[Part](), text
    for part in item.parts:
        if _is_unheard(part):
            part, rest = replace(part, text=rest), ""
        parts.append(part)
    return replace(item, parts=tuple(parts))


def _is_unheard(part: Part) -> bool:
    return part.pcm16 is not None and part.text is None


def _part_at_rate(part: Part) -> Part:
    if part.pcm16 is None or part.rate == RETRIEVED_RATE:
        return part
    samples = resample(from_pcm16(part.pcm16), part.rate, RETRIEVED_RATE)
    return replace(part, pcm16=to_pcm16(samples), rate=RETRIEVED_RATE)
