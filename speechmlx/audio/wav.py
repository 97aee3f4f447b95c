"""Reading WAV by hand: fast, and forgiving with headers that were written before the length was known."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from speechmlx.audio.pcm import mix, to_float
from speechmlx.errors import BadAudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
TYPES = {(PCM, 1): "u1", (PCM, 2): "<i2", (PCM, 3): "i3", (PCM, 4): "<i4", (FLOAT, 4): "<f4", (FLOAT, 8): "<f8"}
FRAMES = 65536
"""Read at a time."""


@dataclass(frozen=True)
class Layout:
    """How the samples lie: `code` is the WAVE format tag, `width` the bytes of one sample, `size` the bytes of all."""

    code: int
    rate: int
    channels: int
    width: int
    size: int | None

    @property
    def readable(self) -> bool:
        """PCM or float; the compressed ones (mu-law, ADPCM, GSM, ...) need a codec."""
        return (self.code, self.width) in TYPES


def read_layout(file: BinaryIO) -> Layout:
    """Reads up to the first sample. Raises BadAudio where there is none to find.

    A data size of 0, 0xFFFFFFFF or beyond the end is a stream's placeholder: everything to the end is samples.
    """
    file.seek(12)
    code = rate = channels = align = 0
    long_size: int | None = None
    while len(head := file.read(8)) == 8:
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            if not channels or not align:
                raise BadAudio("the WAV file has samples but no format ('fmt ') before them")
            exact = long_size if size == 0xFFFFFFFF else size
            return Layout(code, rate, channels, align // channels, exact or None)
        body = file.read(size) if name in (b"fmt ", b"ds64") and size <= 65536 else b""
        if name == b"fmt " and len(body) >= 16:
            code, channels, rate, _, align, _ = struct.unpack("<HHIIHH", body[:16])
            if code == EXTENSIBLE and len(body) >= 26:
                code = struct.unpack("<H", body[24:26])[0]
        elif name == b"ds64" and len(body) >= 16:
            long_size = struct.unpack("<Q", body[8:16])[0]
        file.seek(size - len(body) + size % 2, 1)
    raise BadAudio("the WAV file ends before its samples: it has no 'data' chunk")


def read_samples(file: BinaryIO, layout: Layout) -> Iterator[Samples]:
    """Mono blocks [<= 65536] from where `read_layout` stopped; a truncated file gives what is there."""
    frame = layout.width * layout.channels
    left = layout.size
    while left is None or left >= frame:
        wanted = FRAMES * frame if left is None else min(FRAMES * frame, left)
        data = file.read(wanted)
        whole = len(data) // frame * frame
        if whole:
            values = unpack(data[:whole], TYPES[layout.code, layout.width])
            yield mix(to_float(values.reshape(-1, layout.channels).T))
        if len(data) < wanted:
            return
        left = None if left is None else left - len(data)


def unpack(data: bytes, kind: str) -> NDArray[Any]:
    """Bytes → numbers; 24 bit ones become the upper bytes of int32."""
    if kind != "i3":
        return np.frombuffer(data, kind)
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1)
