"""The replica's end of a request that came through a proxy of Ray Serve."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.cluster.credit import TAKEN, SendWindow, TakenCount

HELLO: Message = {"type": TAKEN, "size": 0}
"""Tells the proxy that a replica has the request."""
ENDS = ("http.disconnect", "websocket.disconnect")


class ReplicaSide:
    """Middleware around the whole app: keeps to the proxy's window and tells it what the app has taken."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        await send(HELLO)
        exchange = ReplicaExchange(receive, send)
        reading = asyncio.create_task(exchange.read())
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class ReplicaExchange:
    """One request or socket: what came and the app has not taken, which the proxy's window bounds."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._inbox: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self._end: Message | Exception | None = None
        self._window = SendWindow()
        self._taken = TakenCount()

    async def read(self) -> None:
        """Read what Ray brings, to the end. Of an error the app hears at its next `receive`."""
        message: Message | Exception
        while True:
            try:
                message = await self._receive()
            except Exception as error:  # the proxy is lost
                message = error
            if isinstance(message, Exception) or message["type"] in ENDS:
                self._inbox.put_nowait(message)
                self._window.end()
                return
            if message["type"] == TAKEN:
                self._window.taken(message["size"])
            else:
                self._inbox.put_nowait(message)

    async def receive(self) -> Message:
        """ASGI's `receive`. The end is told each time."""
        message = self._end or await self._inbox.get()
        if isinstance(message, Exception):
            self._end = message
            raise message
        if message["type"] in ENDS:
            self._end = message
        elif report := self._taken.take(message):
            await self._send(report)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`: waits while the client is too far behind."""
        await self._window.room()
        self._window.add(message)
        await self._send(message)
