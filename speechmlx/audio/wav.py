"""Reads WAV: fast, and tolerant of headers that were written before the length was known."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
TYPES = {(PCM, 1): "u1", (PCM, 2): "<i2", (PCM, 3): "i3", (PCM, 4): "<i4", (FLOAT, 4): "<f4", (FLOAT, 8): "<f8"}
READ = 1 << 18
"""Bytes read at a time, or one frame if that is more."""
TAIL = 1 << 22
"""Bytes at the end of a file that are searched for chunks after the samples."""
MAX_CHUNKS = 10_000
"""Chunks before the samples."""
NAME = re.compile(rb".?[\x20-\x7e]{4}", re.DOTALL)
"""The start of a chunk, also if the padding byte of the chunk before is missing or not counted."""


@dataclass(frozen=True)
class Layout:
    """Layout of the samples, at the offsets `start` to `end`. `code`: WAVE format tag. `width`: bytes of one sample."""

    code: int
    rate: int
    channels: int
    width: int
    start: int
    end: int

    @property
    def readable(self) -> bool:
        """Whether the samples are PCM or float. Compressed ones (mu-law, ADPCM, GSM, ...) need a codec."""
        return (self.code, self.width) in TYPES


def read_layout(file: BinaryIO) -> Layout:
    """Read the header. Raises BadAudio if there are no samples, or if the header contradicts itself.

    A data size of 0, 0xFFFFFFFF or beyond the end is the placeholder of a stream: all bytes to the end are samples,
    except chunks at the end. The same holds for a smaller size with no chunk after it.
    """
    file.seek(12)
    form: tuple[int, int, int, int] | None = None
    long_size = 0
    for _ in range(MAX_CHUNKS):
        if len(head := file.read(8)) < 8:
            raise BadAudio("the WAV file ends before its samples: it has no 'data' chunk")
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            if form is None:
                raise BadAudio("the WAV file has samples but no format ('fmt ') before them")
            start = file.tell()
            return Layout(*form, start, _end(file, start, long_size if size == 0xFFFFFFFF else size))
        body = file.read(size) if name in (b"fmt ", b"ds64") and size <= 65536 else b""
        if name == b"fmt " and len(body) >= 14:
            form = _form(body)
        elif name == b"ds64" and len(body) >= 16:
            long_size = struct.unpack("<Q", body[8:16])[0]
        file.seek(size - len(body) + size % 2, 1)
    raise BadAudio(f"the WAV file has more than {MAX_CHUNKS} chunks before its samples, which is the limit")


def _form(body: bytes) -> tuple[int, int, int, int]:
    """Code, rate, channels and width of a format chunk. The width is meaningful for PCM and float only."""
    code, channels, rate, byte_rate, align, bits = struct.unpack("<HHIIHH", body[:16].ljust(16, b"\0"))
    if code == EXTENSIBLE and len(body) >= 26:
        code = struct.unpack("<H", body[24:26])[0]
    if code not in (PCM, FLOAT) or not channels:
        return code, rate, channels, 0
    width = (bits + 7) // 8 or align // channels
    if align not in (0, width * channels):  # 0: not said
        raise BadAudio(
            f"the WAV header contradicts itself: {bits} bits per sample and {channels} channels make frames of "
            f"{width * channels} bytes, its block align says {align} and its byte rate {byte_rate} at {rate} Hz"
        )
    return code, rate, channels, width


def _end(file: BinaryIO, start: int, size: int) -> int:
    """End of the samples that begin at `start`, from their stated size and the bytes after it."""
    length = file.seek(0, os.SEEK_END)
    if 0 < size <= length - start:
        file.seek(start + size)
        behind = file.read(9)
        if len(behind) < 8 or NAME.match(behind):
            return start + size
    first = max(start, length - TAIL)
    file.seek(first)
    return first + _chunks(file.read(TAIL))


def _chunks(tail: bytes) -> int:
    """Offset from which chunks fill `tail` to its end; the length of `tail` if there are none."""
    data = np.frombuffer(tail, np.uint8)
    letter = (data >= 0x20) & (data < 0x7F)
    names = np.flatnonzero(letter[:-7] & letter[1:-6] & letter[2:-5] & letter[3:-4])
    sizes = sum((data[names + 4 + place].astype(np.int64) << 8 * place for place in range(4)), np.zeros_like(names))
    fits = names + 8 + sizes <= len(data)
    before: dict[int, int] = {}
    """Start of the first of the chunks that end at an offset."""
    for name, size in zip(names[fits][::-1].tolist(), sizes[fits][::-1].tolist(), strict=True):
        end = name + 8 + size
        before[end] = name
        before[min(end + size % 2, len(data))] = name
    place = len(data)
    while place in before:
        place = before[place]
    return place


def read_samples(file: BinaryIO, layout: Layout) -> Iterator[NDArray[Any]]:
    """Yield blocks [channels, n] in the file's type, also for a truncated file."""
    frame = layout.width * layout.channels
    file.seek(layout.start)
    left = layout.end - layout.start
    while left >= frame:
        data = file.read(min(max(1, READ // frame) * frame, left // frame * frame))
        whole = len(data) // frame * frame
        if not whole:
            return
        yield unpack(data[:whole], TYPES[layout.code, layout.width]).reshape(-1, layout.channels).T
        left -= len(data)


def unpack(data: bytes, kind: str) -> NDArray[Any]:
    """Bytes → samples; 24 bit ones become the upper bytes of int32."""
    if kind != "i3":
        return np.frombuffer(data, kind)
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1)
