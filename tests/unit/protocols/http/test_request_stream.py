"""Requests whose answer comes before anybody has read their body."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.served_app import serving

CHUNKS = b"1\r\nx\r\n" * 40
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


class Refusing:
    """Answers 404 without reading; `ended` counts the requests that are over."""

    def __init__(self) -> None:
        self.ended = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"none"})
        self.ended += 1


def connections() -> list[str]:
    """The tasks of Hypercorn's connections."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if "_server_callback" in name]


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""])
async def test_a_body_in_many_parts_that_nobody_reads_is_let_go(end: bytes) -> None:
    """Its request, its connection and its parts stayed for ever."""
    app = Refusing()
    async with serving(app) as address, asyncio.timeout(30):
        for count in range(1, 6):
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(HEAD + CHUNKS + end)
            assert (await reader.readuntil(b"none")).startswith(b"HTTP/1.1 404")
            writer.transport.abort()
            while app.ended < count or connections():
                await asyncio.sleep(0.01)


async def test_a_body_that_is_read_comes_whole() -> None:
    async def counts(scope: Any, receive: Any, send: Any) -> None:
        found, more = b"", True
        while more:
            await asyncio.sleep(0.005)  # slower than the client
            message = await receive()
            found, more = found + message["body"], message["more_body"]
        length = str(len(found)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": length})

    async with serving(counts) as address, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(HEAD + CHUNKS + b"0\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"40"
        writer.close()
