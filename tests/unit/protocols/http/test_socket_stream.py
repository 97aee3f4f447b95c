"""What a client may send on a WebSocket: real connections to Hypercorn, and an app that the test writes."""

from __future__ import annotations

import asyncio
import time
import zlib
from typing import Any

import pytest
from support.frame_socket import BINARY, CONTINUATION, PING, PONG, TEXT, FrameSocket, frame
from support.served_app import KB, serving

from speechmlx.protocols.http import socket_stream
from speechmlx.protocols.http.socket_stream import Held


class Collecting:
    """An app that accepts a socket and keeps what it gets, from `may_read` on."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.ended = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while not self.got or self.got[-1]["type"] != "websocket.disconnect":
            await self.may_read.wait()
            self.got.append(await receive())
        self.ended.set()


async def refused(client: FrameSocket, app: Collecting, told: int | None = None) -> tuple[int, str]:
    """The close code and reason; the app has been told the same, or the code `told`, and nothing is held."""
    code, reason = await asyncio.wait_for(client.closed(), 5)
    await asyncio.wait_for(app.ended.wait(), 5)
    assert (app.got[-1]["code"], app.got[-1]["reason"]) == (told or code, reason)
    assert Held.total == 0
    return code, reason


async def test_messages_come_whole_and_in_order() -> None:
    app = Collecting()
    async with serving(app) as address:
        client = await address.connect()
        data = b"\0\1" * 40 * KB
        await client.send(frame(TEXT, b"gr\xc3", last=False) + frame(PING, b"x") + frame(CONTINUATION, b"\xbc!"))
        await client.send(frame(BINARY, data) + frame(TEXT) + frame(8, b"\x03\xe8"))
        assert await asyncio.wait_for(client.closed(), 5) == (1000, "")
        assert client.frames == [(PONG, b"x")]
        await asyncio.wait_for(app.ended.wait(), 5)
    assert [(message.get("text"), message.get("bytes")) for message in app.got] == [
        ("gr\u00fc!", None), (None, data), ("", None), (None, None)
    ]  # fmt: skip


async def test_compression_is_not_offered_and_not_taken() -> None:
    app = Collecting()
    async with serving(app) as address:
        client = await address.connect("Sec-WebSocket-Extensions: permessage-deflate")
        assert b"permessage" not in client.head
        await client.send(frame(BINARY, zlib.compress(bytes(100 * KB)), compressed=True))
        code, reason = await refused(client, app)
        assert code == 1002 and reason


async def test_a_handshake_whose_subprotocols_are_no_text_goes_on_without_them() -> None:
    """It ended the connection with a traceback in the log."""
    app = Collecting()
    async with serving(app) as address:
        client = await address.connect("Sec-WebSocket-Protocol: a, \u00fa")
        assert b"Sec-WebSocket-Protocol" not in client.head
        await client.send(frame(TEXT, b"x") + frame(8, b"\x03\xe8"))
        assert await asyncio.wait_for(client.closed(), 5) == (1000, "")


async def test_a_message_that_is_too_long_is_dropped_at_once() -> None:
    app = Collecting()
    async with serving(app, limit=64 * KB) as address:
        client = await address.connect()
        endless = frame(BINARY, bytes(8 * KB), last=False) + frame(CONTINUATION, bytes(8 * KB), last=False) * 9
        await client.send(endless)
        assert await refused(client, app) == (1009, "a message is longer than 65536 bytes; send it in pieces")
        began = time.monotonic()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(client.receive(), 5)
        assert time.monotonic() - began < socket_stream.LINGER + 2


@pytest.mark.parametrize(
    "frames",
    [frame(PING, b"x"), frame(PONG), frame(BINARY), frame(BINARY, last=False) + frame(CONTINUATION, last=False) * 999],
    ids=["pings", "pongs", "empty messages", "empty fragments"],
)
async def test_frames_that_say_nothing_are_few(frames: bytes) -> None:
    """A million of them held the server up for seconds."""
    app = Collecting()
    async with serving(app) as address:
        client = await address.connect()
        sending = asyncio.create_task(client.send(frames * (200_000 // frames.count(b"\1\2\3\4"))))
        code, reason = await refused(client, app)
        assert code == 1008 and "more than 20 pings or empty frames a second" in reason
        assert len(app.got) <= socket_stream.EMPTY_AT_ONCE + 1
        await sending


async def test_a_client_that_sends_many_messages_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them come, and others are served meanwhile."""
    monkeypatch.setattr(socket_stream, "MESSAGES", 1000.0)
    monkeypatch.setattr(socket_stream, "MESSAGES_AT_ONCE", 500.0)
    app = Collecting()
    async with serving(app) as address:
        client = await address.connect()
        began, waits = time.monotonic(), list[float]()
        sending = asyncio.create_task(client.send(frame(TEXT, b"x") * 1500))
        while len(app.got) < 1500:
            asked = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 200 " in await reader.readline()
            writer.close()
            waits.append(time.monotonic() - asked)
        assert time.monotonic() - began > 0.9
        assert sorted(waits)[len(waits) // 2] < 0.05
        await sending
        client.leave()
        await asyncio.wait_for(app.ended.wait(), 5)


async def test_a_socket_is_read_no_faster_than_its_app_reads() -> None:
    app = Collecting()
    app.may_read.clear()
    async with serving(app) as address:
        clients = [await address.connect() for _ in range(2)]
        sending = [asyncio.create_task(client.send(frame(BINARY, bytes(300 * KB)) * 60)) for client in clients]
        await asyncio.sleep(0.3)
        assert socket_stream.READ_AHEAD <= Held.total <= 2 * 512 * KB + 2 * KB
        assert not any(task.done() for task in sending)
        app.may_read.set()
        await asyncio.wait_for(asyncio.gather(*sending), 20)
        while len(app.got) < 120:
            await asyncio.sleep(0.01)
        assert Held.total == 0
        for client in clients:
            client.leave()
        await asyncio.wait_for(app.ended.wait(), 5)


async def test_all_messages_in_the_making_have_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_stream, "MAX_HELD", 1024 * KB)
    apps = [Collecting() for _ in range(3)]
    waiting = list(apps)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (waiting.pop(0) if scope["type"] == "websocket" else apps[0])(scope, receive, send)

    async with serving(app) as address:
        clients = [await address.connect() for _ in range(3)]
        for client in clients:
            await client.send(frame(BINARY, bytes(400 * KB), last=False))
            await asyncio.sleep(0.1)
        code, reason = await asyncio.wait_for(clients[2].closed(), 5)
        assert code == 1013 and "try again later" in reason
        assert Held.total == 2 * 400 * KB
        for client in clients:
            client.leave()
        await asyncio.gather(*(one.ended.wait() for one in apps))
    assert Held.total == 0


async def test_a_client_that_answers_no_ping_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_stream, "SILENCE", 0.3)
    app = Collecting()
    async with serving(app, interval=0.05) as address:
        client = await address.connect()
        for _ in range(10):  # one that answers stays
            await client.receive()
            await client.send(frame(PONG))
        assert not app.ended.is_set()
        began = time.monotonic()
        code, reason = await refused(client, app, told=1006)
        assert code == 1008 and "not even a pong" in reason
        assert time.monotonic() - began > 0.25


async def test_a_client_that_is_not_read_need_not_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_stream, "SILENCE", 0.2)
    app = Collecting()
    app.may_read.clear()
    async with serving(app, interval=0.05) as address:
        client = await address.connect()
        sending = asyncio.create_task(client.send(frame(BINARY, bytes(300 * KB)) * 40))
        await asyncio.sleep(0.6)
        assert not sending.done()
        app.may_read.set()
        await asyncio.wait_for(sending, 5)
        while len(app.got) < 40:
            await asyncio.sleep(0.01)
        client.leave()
        await asyncio.wait_for(app.ended.wait(), 5)


async def first_message_closes(scope: Any, receive: Any, send: Any) -> None:
    """An app that closes a socket at its first message."""
    if scope["type"] == "websocket":
        for answer in ({"type": "websocket.accept"}, {"type": "websocket.close", "code": 4001}):
            await receive()
            await send(answer)


async def test_a_client_that_still_sends_reads_why_it_was_closed() -> None:
    """What it sent after the end of the connection made the kernel drop the close frame."""
    async with serving(first_message_closes) as address:
        client = await address.connect()
        sending = time.monotonic() + socket_stream.LINGER / 4
        while time.monotonic() < sending:
            await client.send(frame(BINARY, bytes(8 * KB)))
            await asyncio.sleep(0.01)
        assert await asyncio.wait_for(client.closed(), 5) == (4001, "")
        assert Held.total == 0


async def test_a_close_that_the_client_answers_ends_the_connection_at_once() -> None:
    async with serving(first_message_closes) as address:
        client = await address.connect()
        await client.send(frame(BINARY, b"x"))
        assert await asyncio.wait_for(client.closed(), 5) == (4001, "")
        began = time.monotonic()
        await client.send(frame(8, b"\x0f\xa1"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(client.receive(), 5)
        assert time.monotonic() - began < socket_stream.LINGER / 2
