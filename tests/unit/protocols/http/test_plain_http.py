"""Requests of HTTP/1 that have one meaning only, and what of an answer is sent at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import h11
import pytest
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.protocol.events import Body, EndBody, Event, Response, StreamClosed

from speechmlx.protocols.http.plain_http import PlainHttp, PlainParser

HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


def parsed(data: bytes) -> object:
    parser = PlainParser(h11.SERVER)
    parser.receive_data(data)
    return parser.next_event()


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_what_has_one_meaning_is_read(data: bytes) -> None:
    assert isinstance(parsed(data), h11.Request)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_what_has_two_meanings_or_another_version_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(h11.RemoteProtocolError) as caught:
        parsed(data)
    assert caught.value.error_status_hint == status


HEAD_EVENT = Response(stream_id=1, headers=[(b"content-length", b"4")], status_code=200)
BODY, END, CLOSED = Body(stream_id=1, data=b"none"), EndBody(stream_id=1), StreamClosed(stream_id=1)


async def sent(*turns: Sequence[Event]) -> list[bytes]:
    """What is sent at once when an app answers with these events, turn of the event loop by turn."""
    blocks: list[bytes] = []

    async def send(event: object) -> None:
        blocks.extend([event.data] if isinstance(event, RawData) else [])

    loop = asyncio.get_running_loop()
    async with TaskGroup(loop) as tasks:
        http = PlainHttp(None, Config(), WorkerContext(None), tasks, {}, False, None, None, send)
        http.connection.receive_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        http.connection.next_event()
        for events in turns:
            for event in events:
                await http.stream_send(event)
            for _ in range(3):
                await asyncio.sleep(0)
    return blocks


async def test_an_answer_is_sent_at_once() -> None:
    (block,) = await sent([HEAD_EVENT, BODY, END, CLOSED])
    assert block.startswith(b"HTTP/1.1 200") and block.endswith(b"\r\n\r\nnone")


async def test_a_head_does_not_wait_for_a_body_that_comes_later() -> None:
    head, body = await sent([HEAD_EVENT], [BODY, END, CLOSED])
    assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n") and body == b"none"


@pytest.mark.parametrize("last", [CLOSED, END])
async def test_a_head_without_a_body_is_sent(last: Event) -> None:
    empty = Response(stream_id=1, headers=[(b"content-length", b"0")], status_code=200)
    (block,) = await sent([empty, last])
    assert block.startswith(b"HTTP/1.1 200") and block.endswith(b"\r\n\r\n")


async def test_the_parts_of_a_long_answer_are_sent_one_by_one() -> None:
    chunked = Response(stream_id=1, headers=[(b"transfer-encoding", b"chunked")], status_code=200)
    first, second, end = await sent([chunked, BODY], [BODY], [END, CLOSED])
    assert first.endswith(b"\r\n\r\n4\r\nnone\r\n") and second == b"4\r\nnone\r\n" and end == b"0\r\n\r\n"
