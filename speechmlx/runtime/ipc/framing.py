"""Framing: messages to bytes and back, without I/O.

A frame is the number of its parts (uint32), the length of each (uint64), then the parts. The first part is the pickled
message. The others are the buffers of its arrays (pickle protocol 5, PEP 574): audio is not copied into the pickle.
Unpickling is safe because both ends of the pipe are our own processes.
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
    """The parts of the message's frame, in order. Arrays are not copied: they must not change until they are sent."""
    buffers: list[pickle.PickleBuffer] = []
    parts: list[Part] = [pickle.dumps(message, protocol=5, buffer_callback=buffers.append)]
    parts += [buffer.raw() for buffer in buffers]
    lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
    head = _COUNT.pack(len(parts)) + lengths
    if len(parts) == 1:
        return [head + bytes(parts[0])]
    return [head, *parts]


class Unpacker:
    """Takes the bytes of the pipe and gives the messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> Iterator[Any]:
        """The messages that `data` completes. Their arrays are read-only."""
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
