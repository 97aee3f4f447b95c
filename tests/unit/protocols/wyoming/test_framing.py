"""Events on the socket: what the wyoming package writes is read, and every length and time has a limit."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event

from speechmlx.errors import BadRequest, TooLarge
from speechmlx.protocols.wyoming import framing
from speechmlx.protocols.wyoming.framing import MAX_DATA, MAX_HEADER, MAX_PAYLOAD, read_event, write_event


def reader(data: bytes, ends: bool = True) -> asyncio.StreamReader:
    stream = asyncio.StreamReader(limit=MAX_HEADER)
    stream.feed_data(data)
    if ends:
        stream.feed_eof()
    return stream


async def test_the_data_beside_the_type_and_behind_the_line_are_one() -> None:
    line = b'{"type": "a", "data": {"x": 1, "y": 1}, "data_length": 8, "payload_length": 3}\n'
    stream = reader(line + b'{"y": 2}\x00\n\xff{"type": "b"}\n')
    assert await read_event(stream) == Event("a", {"x": 1, "y": 2}, b"\x00\n\xff")
    assert await read_event(stream) == Event("b", {}, None)
    assert await read_event(stream) is None


@given(st.text(), st.binary(max_size=99))
async def test_what_is_written_is_read(text: str, payload: bytes) -> None:
    server = await asyncio.start_server(lambda reader, writer: arrived.set_result((reader, writer)), "127.0.0.1", 0)
    arrived: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await write_event(Event("kind", {"text": text}, payload), writer)
        writer.close()
        other, answering = await arrived
        assert await read_event(other) == Event("kind", {"text": text}, payload or None)
        answering.close()


@pytest.mark.parametrize(
    "cut", [b"{", b'{"type": "a"}', b'{"type": "a", "data_length": 2}\n{', b'{"type": "a", "payload_length": 2}\nx']
)
async def test_a_stream_that_ends_inside_an_event_has_no_more_of_them(cut: bytes) -> None:
    assert await read_event(reader(cut)) is None


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"\n", BadRequest, "is no JSON"),
        (b"GET / HTTP/1.1\r\n", BadRequest, "is no JSON: b'GET / HTTP/1.1"),
        (b"\xff\xfe\n", BadRequest, "is no JSON"),
        (b"[" * 50000 + b"\n", BadRequest, "is no JSON"),
        (b"[1]\n", BadRequest, "is no JSON object"),
        (b'{"type": "ping", "data": {"text": "\\ud83d"}}\n', BadRequest, "is no JSON"),
        (b'{"type": "a", "payload_length": %s}\n' % (b"9" * 5000), BadRequest, "is no JSON"),
        (b"{}\n", BadRequest, 'needs a "type"'),
        (b'{"type": 5}\n', BadRequest, 'needs a "type"'),
        (b'{"type": "a", "data": [1]}\n', BadRequest, '"data" is an object'),
        (b'{"type": "a", "data_length": -1}\n', BadRequest, '"data_length" is -1'),
        (b'{"type": "a", "payload_length": "2"}\n', BadRequest, "\"payload_length\" is '2'"),
        (b'{"type": "a", "payload_length": true}\n', BadRequest, '"payload_length" is True'),
        (b'{"type": "a", "payload_length": 1.5}\n', BadRequest, '"payload_length" is 1.5'),
        (b'{"type": "a", "data_length": 2}\n{]', BadRequest, "the data of an event is no JSON"),
        (b'{"type": "a", "data_length": %d}\n' % (MAX_DATA + 1), TooLarge, f"allowed is up to {MAX_DATA} bytes"),
        (b'{"type": "a", "payload_length": %d}\n' % 10**30, TooLarge, f"allowed is up to {MAX_PAYLOAD} bytes"),
        (b"x" * (2 * MAX_HEADER) + b"\n", TooLarge, f"longer than {MAX_HEADER} bytes"),
    ],
)
async def test_what_is_no_event(data: bytes, error: type[BadRequest], words: str) -> None:
    with pytest.raises(error) as raised:
        await read_event(reader(data, ends=False))
    assert words in str(raised.value)


async def test_characters_may_be_escaped() -> None:
    assert await read_event(reader(b'{"type": "a", "data": {"x": "\\ud83d\\ude00"}}\n')) == Event("a", {"x": "😀"})


KEYS = st.sampled_from(["type", "data", "data_length", "payload_length", "version"])
VALUES = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(), st.just({"x": 1}), st.just([1]))


@given(st.binary(max_size=300) | st.dictionaries(KEYS, VALUES).map(lambda line: json.dumps(line).encode()), st.binary())
async def test_whatever_comes_is_an_event_or_no_event(line: bytes, rest: bytes) -> None:
    with contextlib.suppress(BadRequest):
        event = await read_event(reader(line + b"\n" + rest))
        assert event is None or isinstance(event.type, str)


async def test_an_event_arrives_in_time_or_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "ARRIVAL", 0.02)
    with pytest.raises(BadRequest, match=r"did not arrive within 0\.02 s"):
        await read_event(reader(b'{"type": "a", "payload_length": 2}\nx', ends=False))
