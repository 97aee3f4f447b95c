"""LiveLink: the client's side of a live session. Its connection may break, and the session goes on with the next one.

The session uses a link like a socket. Each connection of the client is joined to it by `carry`, one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from starlette.types import Scope
from starlette.websockets import WebSocketState

from speechmlx.errors import UnknownSession
from speechmlx.protocols import ws
from speechmlx.protocols.http.delivered import confirmed
from speechmlx.protocols.replay_log import ReplayLog
from speechmlx.protocols.ws import Answer, Close, ResumePoint
from speechmlx.runtime.channel import Channel

REPLACED = Close(4409, "the session goes on in another connection")
BROKEN = (1006, 1011, 1012, 1014)
"""Close codes after which a client may come back: no close at all, and those of its network. Others end the session."""
ABNORMAL = 1006
AHEAD = 1024 * 1024
"""What may wait for a client that is away, in bytes or characters. The session pauses at more."""
CLOSING = 2.0
"""Seconds in which a client answers a close; else it may not have got it."""
GREETINGS, GREETING_HEAD = 8, 256
"""First messages of connections whose beginnings are remembered, in characters: a client may have got nothing else."""
ENDED = "the session has just ended; begin a new one"
MISSED = (
    "the session cannot go on from there: the client missed more than is kept, or names a message that was never sent; "
    "it has ended; begin a new one"
)


class ClientSocket(ws.Socket, Protocol):
    """A connection: a WebSocket of Starlette that was accepted."""

    @property
    def scope(self) -> Scope:
        """What its handshake said."""

    async def receive(self) -> MutableMapping[str, Any]:
        """The next message; at the end the disconnect."""


Place = Callable[["LiveLink"], int | None]
"""Number of the last message that a client has; None: there is none such."""


class _Connection:
    """One connection. `base`: number of the last message that the client had when it began."""

    def __init__(self, socket: ClientSocket, base: int, greeting: str | None) -> None:
        self.socket = socket
        self.base = base
        self.greeting = greeting
        self.began = asyncio.get_running_loop().time()
        self.replaced = asyncio.Event()
        self.off = asyncio.Event()


class LiveLink:
    """`greet` makes the first message to a client that has come back. `window`: seconds that it has for that.

    `received`: messages that the client sent before. `on_change` is called when the client is away, or all is over.
    `log`: what another server has said to the client, where a session goes on that it has begun.
    """

    def __init__(
        self, greet: Callable[[ResumePoint], str], window: float, received: int = 0, log: ReplayLog | None = None
    ) -> None:
        self.log = log or ReplayLog()
        self.over = False
        """Whether no client can come back any more."""
        self.received = received
        """Messages of the client that the session has, or takes next."""
        self.on_change: Callable[[], None] = lambda: None
        self.may_send: Callable[[int], Awaitable[None]] = _at_once
        """Waits until the message with this number may be sent."""
        self.greet = greet
        self._window = window
        self._inbox: Channel[MutableMapping[str, Any]] = Channel(1)
        self._connection: _Connection | None = None
        self._finished = False
        """Whether the session says nothing more."""
        self._closing = False
        """Whether it has closed the socket."""
        self._confirmed = 0
        """Number of a message that the client has for sure, and all before it."""
        self._greetings: deque[tuple[str, int]] = deque(maxlen=GREETINGS)
        self._timer: asyncio.TimerHandle | None = None
        self._change = asyncio.Event()

    # --- the session's side: ws.Link ---

    @property
    def application_state(self) -> WebSocketState:
        """CONNECTED until the session has closed it or the client has left for good."""
        return WebSocketState.DISCONNECTED if self._closing or self.over else WebSocketState.CONNECTED

    async def receive(self) -> MutableMapping[str, Any]:
        """The next message of the client; the disconnect when it will not come back."""
        with contextlib.suppress(StopAsyncIteration):
            return await anext(self._inbox)
        return {"type": "websocket.disconnect", "code": ABNORMAL}

    async def send_text(self, data: str) -> None:
        """Send a text message: returns when the connection has taken it, or it waits for the client."""
        await self._put(data)

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message, as `send_text` does."""
        await self._put(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket after what waits."""
        if self.application_state is WebSocketState.CONNECTED:
            self._closing = True
            await self._put(Close(code, reason))

    def add(self, answers: Sequence[Answer]) -> int:
        """Say so much, all at once and in this order. Returns the number of the last message."""
        for answer in answers:
            if self.application_state is not WebSocketState.CONNECTED:
                break
            self._closing = isinstance(answer, Close)
            self.log.add(answer)
        self._notify()
        return self.log.last

    async def delivered(self, number: int) -> None:
        """Wait until the connection has taken the message, or it waits for a client that is away."""
        while self.log.sent < number and not self.over:
            if self._connection is None and (self._closing or self.log.unsent <= AHEAD):
                return
            await self._change.wait()

    async def connected(self) -> float:
        """Wait until the client has a connection, or is gone for good. Returns when it began, on the loop's clock."""
        while self._connection is None and not self.over:
            await self._change.wait()
        return self._connection.began if self._connection is not None else 0.0

    def finish(self) -> None:
        """The session is over. A client that is away may still come for its last words."""
        self._finished = True
        if self._connection is None and not self._closing:
            self.end()
        self._notify()

    def end(self) -> None:
        """Nothing is kept any more; the session gets the disconnect."""
        if self.over:
            return
        self.over = True
        self._stop_timer()
        self._inbox.end()
        self._notify()
        self.on_change()
        self.on_change = lambda: None
        self.log = ReplayLog()

    def stop(self) -> None:
        """From now on no client may come back."""
        self._window = 0.0
        if self.is_away:
            self.end()

    def confirm(self, number: int) -> None:
        """The client has the message with this number, and all before it."""
        self._confirmed = max(self._confirmed, number)

    def replace(self) -> None:
        """The session goes on at another server: nothing is kept any more."""
        if self._connection is not None:
            self._connection.replaced.set()
        self.end()

    async def _put(self, message: Answer) -> None:
        number = self.log.add(message)
        self._notify()
        await self.delivered(number)

    # --- the client's side ---

    @property
    def is_away(self) -> bool:
        """Whether the client has no connection, and may come back."""
        return self._connection is None and not self.over

    @property
    def confirmed(self) -> int:
        """Number of the newest message that the client has for sure."""
        return self._confirmed if self._connection is None else self._had(self._connection)

    def number_of(self, matches: Callable[[Answer], bool]) -> int | None:
        """Number of the newest message that matches, also of what stood before it as a first message."""
        for greeting, number in self._greetings:
            if matches(greeting):
                return number
        return self.log.number_of(matches)

    async def carry(self, socket: ClientSocket, place: Place | None = None) -> None:
        """Join the session and an accepted socket until one of them ends.

        `place` None: it is the first connection. Raises UnknownSession where the session cannot go on.
        """
        while (other := self._connection) is not None:
            other.replaced.set()
            await other.off.wait()
        if self.over:
            raise UnknownSession(ENDED)
        self._stop_timer()
        greeting = self._greeting(place)
        connection = self._connection = _Connection(socket, self.log.sent, greeting)
        self._notify()
        code = ABNORMAL
        try:
            code = await self._run(connection)
        finally:
            self._leave(connection, code)
        if connection.replaced.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ws.send(socket, [REPLACED]), CLOSING)

    def _greeting(self, place: Place | None) -> str | None:
        """Go back to where the client is; returns the first message. Raises UnknownSession, and ends then."""
        if place is None:
            return None
        number = place(self)
        if number is None or not self.log.back_to(number):
            self.end()
            raise UnknownSession(MISSED)
        greeting = self.greet(ResumePoint(self.received, number))
        self._greetings.appendleft((greeting[:GREETING_HEAD], number))
        return greeting

    async def _run(self, connection: _Connection) -> int:
        """Carry messages both ways. Returns the close code."""
        reading = asyncio.create_task(self._read(connection.socket))
        writing = asyncio.create_task(self._write(connection))
        replaced = asyncio.create_task(connection.replaced.wait())
        tasks: set[asyncio.Task[Any]] = {reading, writing, replaced}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._window and self._closing and writing.done():
                await asyncio.wait({reading, replaced}, timeout=CLOSING, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not writing.cancelled():
            writing.result()
        return ABNORMAL if reading.cancelled() else reading.result()

    async def _read(self, socket: ClientSocket) -> int:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            await self._inbox.send(message)
            self.received += 1
        return int(message.get("code", ABNORMAL))

    async def _write(self, connection: _Connection) -> None:
        """Send what waits, and what comes, until the session has ended."""
        if connection.greeting is not None:
            await ws.send(connection.socket, [connection.greeting])
        while True:
            while (message := self.log.next()) is not None:
                await self.may_send(self.log.sent + 1)
                is_open = not self.over and await ws.send(connection.socket, [message])
                if self.over:  # another server has the session
                    return
                self.log.taken()
                self._notify()
                if isinstance(message, Close):
                    return
                if not is_open:
                    await asyncio.Event().wait()  # the reading side ends
            if self._finished or self.over:
                return
            await self._change.wait()

    def _leave(self, connection: _Connection, code: int) -> None:
        """The connection is over: keep the session for the client, or not."""
        self._confirmed = self._had(connection)
        self._connection = None
        connection.off.set()
        if self._may_return(code) or (connection.replaced.is_set() and not self.over):
            self._timer = asyncio.get_running_loop().call_later(self._window, self.end)
            self._notify()
            self.on_change()
        else:
            self.end()

    def _had(self, connection: _Connection) -> int:
        """Number of the newest message that the client of a connection has for sure."""
        told = confirmed(connection.socket.scope)
        greeted = connection.greeting is not None
        number = self.log.sent if told is None else connection.base + max(0, told - greeted)
        return max(self._confirmed, number)

    def _may_return(self, code: int) -> bool:
        """Whether the client may come back after a connection that ended with `code`."""
        if self.over or not self._window:
            return False
        if self._closing:
            return code == ABNORMAL  # with another one it has answered the close
        return code in BROKEN and not self._finished

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _notify(self) -> None:
        """Wake what waits for a change."""
        change, self._change = self._change, asyncio.Event()
        change.set()


async def _at_once(number: int) -> None:
    """Nothing is waited for."""
