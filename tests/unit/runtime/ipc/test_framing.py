"""Frames survive any cutting, with their arrays."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.runtime.ipc.framing import Unpacker, pack
from speechmlx.runtime.ipc.messages import Input, Output
from speechmlx.types import Chunk, End, Feed


def _wire(messages: list[object]) -> bytes:
    return b"".join(bytes(part) for message in messages for part in pack(message))


@given(st.data())
def test_messages_come_out_whole_however_the_bytes_are_cut(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(0, 5000), max_size=5))
    sent = [Output(i, Chunk(bytes(size), 24000)) for i, size in enumerate(sizes)]
    wire = _wire(list(sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    unpacker = Unpacker()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        received += list(unpacker.feed(wire[start:end]))
    assert received == sent


def test_arrays_travel_beside_the_pickle_without_a_copy() -> None:
    samples = np.arange(100_000, dtype=np.float32)
    parts = pack(Input(1, Feed(samples)))
    assert len(parts[1]) < 1000
    assert np.shares_memory(np.frombuffer(parts[2], np.float32), samples)
    (message,) = Unpacker().feed(b"".join(bytes(part) for part in parts))
    np.testing.assert_array_equal(message.command.samples, samples)


def test_an_empty_array_and_a_bare_command() -> None:
    wire = _wire([Input(1, Feed(np.zeros(0, np.float32))), Input(1, End())])
    first, second = Unpacker().feed(wire)
    assert len(first.command.samples) == 0
    assert second == Input(1, End())
