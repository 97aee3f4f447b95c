"""Framing of the pipe: messages ↔ bytes, without I/O.

A frame is a count of parts, their lengths, then the parts: the first is the pickled message, the others the buffers of
its arrays (pickle protocol 5, PEP 574), so that audio is never copied into the pickle. Both ends are our own processes
on one inherited socket pair.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from typing import Any

Part = bytes | memoryview

_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")


def pack(message: object) -> list[Part]:
    """The parts to send, in order. Arrays are not copied: they must not change until sent."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Part] = [pickle.dumps(message, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    head = _COUNT.pack(len(parts)) + lengths
    if len(parts) == 1:
        return [head + bytes(parts[0])]
    return [head, *parts]


class Unpacker:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[Any]:
        """The messages that `data` completes. Their arrays are read-only views of bytes of their own."""
        self._buffer += data
        while (frame := self._frame()) is not None:
            head, *buffers = frame
            yield pickle.loads(head, buffers=buffers)

    def _frame(self) -> list[bytes] | None:
        have = len(self._buffer)
        if have < _COUNT.size:
            return None
        (count,) = _COUNT.unpack_from(self._buffer)
        start = _COUNT.size + count * _LENGTH.size
        if have < start:
            return None
        lengths = [_LENGTH.unpack_from(self._buffer, _COUNT.size + i * _LENGTH.size)[0] for i in range(count)]
        if have < start + sum(lengths):
            return None
        parts = []
        with memoryview(self._buffer) as view:
            for length in lengths:
                parts.append(bytes(view[start : start + length]))
                start += length
        del self._buffer[:start]
        return parts
