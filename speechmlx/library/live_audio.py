"""Live audio as a caller has it → bytes for a session, in pieces that it takes at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.library.sources import channels_of, check_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pcm = bytes | bytearray | memoryview | NDArray[Any]

PIECE = 30
"""Seconds of audio that go to the session at once: a longer piece is divided."""
STORED: dict[str, tuple[Literal["pcm16", "int32", "float32"], str]] = {
    "int16": ("pcm16", "<i2"),
    "int32": ("int32", "<i4"),
    "float32": ("float32", "<f4"),
    "float64": ("float32", "<f4"),
}
"""How samples of a type are written."""


def encoded(pcm: Any, rate: Any) -> tuple[bytes, AudioFormat]:
    """The bytes of live audio, and how they are written: mono PCM16 as it is, or an array [n] or [n, channels].

    Raises BadRequest for what is no audio.
    """
    rate = check_rate(rate)
    if isinstance(pcm, bytes | bytearray | memoryview):
        return bytes(pcm), AudioFormat("pcm16", rate)
    values = np.asarray(pcm)
    channels = len(channels_of(values))
    if values.dtype.name not in STORED:
        raise BadRequest(f"live samples are {', '.join(STORED)}, not {values.dtype}")
    encoding, stored = STORED[values.dtype.name]
    return np.ascontiguousarray(values, stored).tobytes(), AudioFormat(encoding, rate, channels)


def pieces(data: bytes, format: AudioFormat) -> Iterator[bytes]:
    """`data` in pieces of at most PIECE seconds."""
    size = format.width * format.rate * PIECE
    for start in range(0, len(data), size):
        yield data[start : start + size]
