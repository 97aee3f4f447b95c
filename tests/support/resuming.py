"""A client of any live wire that comes back after its connection broke, as docs/realtime.md tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import websockets
from support.live_wires import OPENING, SOCKETS, SocketClient

Json = dict[str, Any]


class Line:
    """The client's end of a session: counts what came, keeps what was sent, and sends again what the server lacks.

    `position` False: it does not say how much it has; the server then goes by what was confirmed. `own`: headers of
    every handshake.
    """

    def __init__(self, url: str, path: str, position: bool = True, **own: str) -> None:
        self.id = ""
        self.received: list[str | bytes] = []
        """Every message of the session, without the first ones of later connections."""
        self.sent: list[str | bytes] = []
        self.greetings: list[Json] = []
        self.doubled = 0
        """Messages that came again, and were left out."""
        self._address = f"ws://{urlsplit(url).netloc}{path}"
        self._position = position
        self._own = own
        self._socket: websockets.ClientConnection | None = None
        self._sending = asyncio.Lock()

    async def open(self, **headers: str) -> None:
        """Begin a session."""
        self._socket = await _connect(self._address, {**self._own, **headers})
        response = self._socket.response
        assert response is not None
        self.id = response.headers["x-session-id"]

    def move(self, url: str) -> None:
        """Come back to another server."""
        path = self._address.partition("//")[2].partition("/")[2]
        self._address = f"ws://{urlsplit(url).netloc}/{path}"

    async def come_back(self, query: str = "", **headers: str) -> None:
        """Go on with the session on a new connection."""
        mark = "&" if "?" in self._address else "?"
        query = query or (f"&received={len(self.received)}" if self._position else "")
        async with self._sending:
            self._socket = await _connect(f"{self._address}{mark}session_id={self.id}{query}", {**self._own, **headers})
            greeting = json.loads(await asyncio.wait_for(self._socket.recv(), 10))
            self.greetings.append(greeting)
            assert "resumed" in greeting, greeting
            for message in self.sent[greeting["resumed"]["received"] :]:
                await self._socket.send(message)
            self._skip = len(self.received) - greeting["resumed"]["sent"]

    _skip = 0
    """Messages that come again now."""

    async def send(self, message: str | bytes) -> None:
        """Send a message, now or when the connection is back."""
        async with self._sending:
            self.sent.append(message)
            if self._socket is not None:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await self._socket.send(message)

    async def recv(self) -> str | bytes:
        """The next message of the session. Raises ConnectionClosed."""
        assert self._socket is not None
        while True:
            message = await self._socket.recv()
            if self._skip > 0:
                self._skip -= 1
                self.doubled += 1
                continue
            self.received.append(message)
            return message

    async def closed(self) -> tuple[int, str]:
        """The close code and reason of the connection."""
        assert self._socket is not None
        await self._socket.wait_closed()
        return self._socket.close_code or 0, self._socket.close_reason or ""

    async def close(self) -> None:
        """Leave as the protocol says."""
        if self._socket is not None:
            await self._socket.close()


async def _connect(address: str, headers: dict[str, str]) -> websockets.ClientConnection:
    return await websockets.connect(
        address,
        open_timeout=OPENING,
        max_size=None,
        max_queue=None,
        ping_interval=None,
        proxy=None,
        additional_headers=headers,
    )


class Resuming:
    """A client of live_wires.py on a Line."""

    def __init__(self, line: Line, client: SocketClient) -> None:
        self.line = line
        self.client = client
        self._reading = asyncio.create_task(self._read())

    async def come_back(self, query: str = "") -> None:
        """Wait for the end of the old connection, and go on with a new one."""
        await asyncio.wait_for(self._reading, 10)
        await self.line.come_back(query)
        self._reading = asyncio.create_task(self._read())

    @property
    def broken(self) -> bool:
        """Whether the connection ended before the session did."""
        return self._reading.done() and not self.client.over.is_set()

    def cut(self) -> None:
        """Break the connection without a word."""
        assert self.line._socket is not None
        self.line._socket.transport.abort()

    async def stop(self) -> None:
        """Leave."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.line.close(), 5)

    async def _read(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosedError):  # the session may go on elsewhere
            try:
                while True:
                    message = await self.line.recv()
                    if isinstance(message, str):
                        self.client.take(json.loads(message))
            except websockets.ConnectionClosedOK:
                self.client.over.set()


@asynccontextmanager
async def resuming(wire: str, url: str, position: bool = True, **headers: str) -> AsyncIterator[Resuming]:
    """A session on `wire` of the server at `url`."""
    kind = SOCKETS[wire]
    line = Line(url, kind.path, position, **headers)
    await line.open()
    client = Resuming(line, kind(line))  # type: ignore[arg-type]
    await client.client.begin()
    try:
        yield client
    finally:
        await client.stop()
