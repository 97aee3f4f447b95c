"""Clients that read nothing, ask nothing, or are answered while they are still sending."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypercorn import protocol
from hypercorn.protocol.h11 import H11Protocol
from starlette.responses import PlainTextResponse
from support.served_app import KB, serving

from speechmlx.protocols.http import connections
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.secure_http import SecureHttp


class Sending:
    """An app that sends 64 KB over and over, until its client has left."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        sending = asyncio.create_task(self.send_all(send))
        while (await receive())["type"] != "websocket.disconnect":
            pass
        sending.cancel()
        self.ended.set()

    async def send_all(self, send: Any) -> None:
        while True:
            await send({"type": "websocket.send", "bytes": bytes(64 * KB)})
            self.sent += 1
            await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL", 0.3)
    app = Sending()
    async with serving(app) as address:
        await address.connect(receive_buffer=4096)
        await asyncio.wait_for(app.ended.wait(), 5)
        assert app.sent < 200


async def test_a_client_that_reads_slowly_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL", 0.3)
    monkeypatch.setattr(connections, "PROGRESS", 1)
    app = Sending()
    async with serving(app) as address:
        client = await address.connect(receive_buffer=4096)
        for _ in range(20):
            await client.reader.read(64 * KB)
            await asyncio.sleep(0.05)
        assert not app.ended.is_set()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.wait_for(app.ended.wait(), 5)


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    """Answers before it reads the body."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"none"})


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n"


async def test_an_answer_reaches_a_client_that_is_still_sending() -> None:
    """The rest of the body met a closed connection, and the client saw a reset."""
    async with serving(refuses) as address:
        for _ in range(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(HEAD)
            await asyncio.sleep(0.02)
            for _ in range(40):
                writer.write(bytes(100_000))
                await writer.drain()
            assert (await reader.read()).endswith(b"none")
            writer.close()


async def test_an_answer_reaches_a_client_whose_request_waits_in_a_full_queue() -> None:
    """Hypercorn waits for room in its queue before it ends a request."""
    sent = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await sent.wait()
            await refuse(PlainTextResponse("none", 413), scope, Inbox(receive), send)

    async with serving(app) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(HEAD.replace(b"4", b"40") + bytes(40_000_000))
        waiting = 0
        while waiting != (waiting := writer.transport.get_write_buffer_size()):  # until the server takes no more
            await asyncio.sleep(0.1)
        assert waiting
        sent.set()
        assert (await reader.read()).endswith(b"none")
        writer.close()


async def test_a_client_that_never_ends_its_request_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER", 0.2)
    async with serving(refuses) as address, asyncio.timeout(1.8):
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(HEAD[:-4] + b"0000\r\n\r\n")
        assert (await reader.read()).endswith(b"none")
        while not writer.transport.is_closing():  # by the server's end
            writer.write(b"x")
            await asyncio.sleep(0.001)


async def test_the_server_ends_while_a_request_is_not_whole() -> None:
    came = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            came.set()
            await asyncio.Event().wait()

    async with serving(waits) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(HEAD)
        await came.wait()
    assert b" 500 " in await reader.read()
    writer.close()


async def takes(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and answers."""
    if scope["type"] == "http":
        while (await receive())["more_body"]:
            pass
        await no_content(scope, receive, send)


async def test_of_all_uploads_one_part_is_taken_in_a_turn_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a short request waits for all that has come of each of them."""
    turns = [0]
    handle = H11Protocol.handle

    async def counted(self: H11Protocol, event: Any) -> None:
        turns[-1] += len(getattr(event, "data", b"")) > connections.LARGE
        await handle(self, event)

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            turns.append(0)

    async def upload(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + bytes(4_000_000))
        answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return answer

    monkeypatch.setattr(H11Protocol, "handle", counted)
    async with serving(takes) as address, asyncio.timeout(30):
        counting = asyncio.create_task(count())
        answers = await asyncio.gather(*(upload(address.port) for _ in range(4)))
        counting.cancel()
    assert all(answer.startswith(b"HTTP/1.1 204") for answer in answers)
    assert sum(turns) > 4 * 4_000_000 / 65536 / 2
    assert max(turns) == 1


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A request, and its answer."""
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 204")


async def no_content(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


async def test_a_connection_stays_open_between_requests_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client keeps its connections for some seconds. It loses a request where the server closes one first."""
    monkeypatch.setattr(connections, "FIRST", 0.1)
    monkeypatch.setattr(connections, "KEEP_ALIVE", 0.6)
    async with serving(no_content) as address:
        silent, other = await asyncio.open_connection("127.0.0.1", address.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        await ask(reader, writer)
        assert await asyncio.wait_for(silent.read(), 3) == b""
        other.close()
        await ask(reader, writer)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()


async def slow(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await asyncio.sleep(0.5)
        await no_content(scope, receive, send)


async def test_a_request_may_last_longer_than_a_connection_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a connection without a request begins when a request has ended."""
    monkeypatch.setattr(connections, "FIRST", 0.2)
    monkeypatch.setattr(connections, "KEEP_ALIVE", 0.2)
    async with serving(slow) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        await ask(reader, writer)
        ended = asyncio.get_running_loop().time()
        assert await asyncio.wait_for(reader.read(), 3) == b""
        assert 0.15 < asyncio.get_running_loop().time() - ended < 1.0
        writer.close()


async def test_a_connection_without_a_request_ends_with_the_server() -> None:
    async with serving(no_content) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        await ask(reader, writer)
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_a_slow_client_may_ask_later_than_its_connection_began() -> None:
    """Hypercorn's own limit is 5 s, after which the request of a client on a busy machine is met by a reset."""
    async with serving(no_content) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        await asyncio.sleep(5.2)
        await ask(reader, writer)
        writer.close()


async def late(scope: Any, receive: Any, send: Any) -> None:
    """An app that answers when its client has left."""
    if scope["type"] == "http":
        await asyncio.sleep(0.1)
        await no_content(scope, receive, send)


def held() -> int:
    """Connections that Hypercorn keeps."""
    return sum("server_callback" in repr(task.get_coro()) for task in asyncio.all_tasks())


@pytest.mark.parametrize("version", [1, 2])
async def test_nothing_stays_of_a_client_that_left(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a connection of HTTP/2 held stayed for the rest of its idle time."""
    async with serving(late) as address:
        monkeypatch.setattr(protocol, "H2Protocol", SecureHttp)
        monkeypatch.setattr(protocol, "H11Protocol", H11Protocol)  # it speaks HTTP/2 without TLS
        client = H2Connection(H2Configuration(client_side=True))
        client.initiate_connection()
        headers = ((":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "localhost"))
        client.send_headers(1, headers, end_stream=True)
        _, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(client.data_to_send() if version == 2 else b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.05)
        assert held() == 1
        writer.close()
        await asyncio.sleep(0.5)
        assert held() == 0
