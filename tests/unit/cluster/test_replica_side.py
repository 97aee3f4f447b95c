"""The replica's end of a request: it says that it has it, and keeps to the proxy's window."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from speechmlx.cluster.credit import OVERHEAD, REPORT, TAKEN, WINDOW
from speechmlx.cluster.replica_side import HELLO, ReplicaSide

HTTP: Scope = {"type": "http", "path": "/"}


class Proxy:
    """What Ray brings to the replica, and what the replica sent."""

    def __init__(self, *messages: Message) -> None:
        self.sent: list[Message] = []
        self.incoming: asyncio.Queue[Message | Exception] = asyncio.Queue()
        for message in messages:
            self.incoming.put_nowait(message)

    async def receive(self) -> Message:
        message = await self.incoming.get()
        if isinstance(message, Exception):
            raise message
        return message

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def test_the_proxy_hears_first_that_a_replica_has_the_request() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start"})

    proxy = Proxy()
    await ReplicaSide(app)(HTTP, proxy.receive, proxy.send)
    assert proxy.sent == [HELLO, {"type": "http.response.start"}]


async def test_the_app_gets_the_clients_messages_alone_and_the_proxy_what_was_taken() -> None:
    bodies = [{"type": "http.request", "body": bytes(REPORT)}, {"type": "http.request", "body": b"end"}]
    got: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got.extend([await receive(), await receive()])

    proxy = Proxy(bodies[0], {"type": TAKEN, "size": 1}, bodies[1])
    await ReplicaSide(app)(HTTP, proxy.receive, proxy.send)
    assert got == bodies
    assert proxy.sent == [HELLO, {"type": TAKEN, "size": REPORT + OVERHEAD}]


async def test_an_answer_waits_for_a_client_that_is_behind() -> None:
    body = {"type": "http.response.body", "body": bytes(WINDOW), "more_body": True}
    progress: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for number in range(3):
            await send(body)
            progress.append(number)

    proxy = Proxy()
    running = asyncio.create_task(ReplicaSide(app)(HTTP, proxy.receive, proxy.send))
    await asyncio.sleep(0.02)
    assert progress == [0]
    proxy.incoming.put_nowait({"type": TAKEN, "size": WINDOW + OVERHEAD})
    await asyncio.sleep(0.02)
    assert progress == [0, 1]
    proxy.incoming.put_nowait({"type": "http.disconnect"})  # the rest goes nowhere, and waits for nobody
    await asyncio.wait_for(running, 1)
    assert progress == [0, 1, 2]


async def test_the_end_is_told_each_time() -> None:
    end = {"type": "websocket.disconnect", "code": 1001}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert [await receive() for _ in range(3)] == [end] * 3

    proxy = Proxy(end)
    await asyncio.wait_for(ReplicaSide(app)({"type": "websocket"}, proxy.receive, proxy.send), 1)


async def test_a_lost_proxy_is_an_error_of_receive() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    proxy = Proxy()
    proxy.incoming.put_nowait(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await ReplicaSide(app)(HTTP, proxy.receive, proxy.send)


async def test_the_lifespan_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    proxy = Proxy()
    await ReplicaSide(app)({"type": "lifespan"}, proxy.receive, proxy.send)
    assert (seen, proxy.sent) == (["lifespan"], [])
