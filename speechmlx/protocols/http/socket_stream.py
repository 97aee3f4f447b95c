"""The WebSockets of Hypercorn with bounds on what a client sends.

Written against hypercorn 0.18.0 (protocol/ws_stream.py) and wsproto 1.3.2. Hypercorn itself answers every ping, expands
compressed messages without a bound, goes on collecting a message that it has refused, and closes no socket whose client
has gone silent. `install` makes its two protocols use SocketStream.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hypercorn.config import Config
from hypercorn.protocol import h2, h11
from hypercorn.protocol.events import Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import ASGIReceiveEvent, ASGISendEvent, WebsocketAcceptEvent
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage

from speechmlx.protocols.http.delivered import INTERVAL, KEY, Delivered
from speechmlx.protocols.http.rate import Allowance

BLOCK = 256 * 1024
"""Bytes of a block of a message in the making."""
READ_AHEAD = 256 * 1024
"""Bytes of a socket that are read before its app asks for them."""
OVERHEAD = 256
"""Bytes that a message costs besides its content."""
MAX_HELD = 256 * 1024 * 1024
"""Bytes of messages that all sockets together may hold until their apps take them."""
MESSAGES, MESSAGES_AT_ONCE = 2000.0, 4000.0
"""Frames a second, and at once. A client that sends more is read no faster."""
EMPTY, EMPTY_AT_ONCE = 20.0, 200.0
"""Pings, pongs and frames without content a second, and at once. A client that sends more is closed."""
SLICE = 0.001
"""Seconds of work on one client's frames before others have their turn."""
SILENCE = 60.0
"""Seconds without any frame, pongs included, after which a client counts as gone."""
LINGER = 1.0
"""Seconds in which a client may read why it was closed, and answer that, before its connection ends: where it sends on
meanwhile, the kernel drops what it has not read."""
ABNORMAL, POLICY_VIOLATION, TOO_BIG, TRY_AGAIN = 1006, 1008, 1009, 1013


class Held:
    """Bytes of messages that all sockets of the process hold."""

    total = 0


def install() -> None:
    """Make Hypercorn's protocols use SocketStream."""
    for protocol in (h11, h2):
        protocol.WSStream = SocketStream


def _readable_header(name: bytes, value: bytes) -> bool:
    """Whether the handshake can be read with this header: wsproto takes ASCII only."""
    return value.isascii() or not name.lower().startswith((b"sec-websocket-", b"connection", b"upgrade"))


class MessageBuffer:
    """A message in the making. Text is kept as UTF-8, so that many small frames cost no more than their bytes.

    It is kept in blocks: one long one would be copied again and again as it grows.
    """

    def __init__(self) -> None:
        self.clear()
        self._is_text = False

    def __len__(self) -> int:
        return self._size

    def extend(self, event: Message[Any]) -> int:
        """Add a frame; returns its bytes."""
        self._is_text = isinstance(event, TextMessage)
        data = event.data.encode() if isinstance(event, TextMessage) else event.data
        if len(self._blocks[-1]) >= BLOCK:
            self._blocks.append(bytearray())
        self._blocks[-1] += data
        self._size += len(data)
        return len(data)

    def clear(self) -> None:
        self._blocks = [bytearray()]
        self._size = 0

    def take(self) -> ASGIReceiveEvent:
        """The message; the buffer is empty then."""
        data = b"".join(self._blocks)
        self.clear()
        text, content = (data.decode(), None) if self._is_text else (None, data)
        return {"type": "websocket.receive", "bytes": content, "text": text}


class Inward:
    """The messages that an app has not taken, and how far its socket may be read ahead of it."""

    def __init__(self) -> None:
        self.held = 0
        self._messages: deque[tuple[ASGIReceiveEvent, int]] = deque()
        self._asks = False
        self._end: dict[str, Any] | None = None
        self._readable = asyncio.Event()
        self._changed = asyncio.Event()

    def hold(self, size: int) -> None:
        """`size` bytes more of a message are kept."""
        self.held += size
        Held.total += size

    async def put(self, message: ASGIReceiveEvent, size: int = 0) -> None:
        """Add a message, `size` bytes of which count until it is taken."""
        if self._end is None:
            self._messages.append((message, size))
            self._readable.set()

    async def room(self) -> None:
        """Wait until the app asks for messages, or READ_AHEAD is not reached."""
        while self.held >= READ_AHEAD and not self._asks and self._end is None:
            self._changed.clear()
            await self._changed.wait()

    def end(self, code: int, reason: str = "") -> None:
        """The app gets the messages that wait, then the disconnect. Only the first call counts."""
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._readable.set()
            self._changed.set()

    def drop(self) -> None:
        """Forget the messages that wait."""
        self._messages.clear()
        self.hold(-self.held)

    async def take(self) -> ASGIReceiveEvent:
        """ASGI's `receive`. After the end it gives the disconnect, each time."""
        await asyncio.sleep(0)  # a client with many messages waiting leaves others their turn
        self._asks = True
        self._changed.set()
        try:
            while not self._messages:
                if self._end is not None:
                    return self._end
                self._readable.clear()
                await self._readable.wait()
        finally:
            self._asks = False
        message, size = self._messages.popleft()
        self.hold(-size)
        return message


class SocketStream(WSStream):  # type: ignore[misc]
    """One WebSocket. It offers no compression, and closes with a sentence where a bound is passed."""

    def __init__(self, app: Callable[..., Awaitable[None]], config: Config, *rest: Any) -> None:
        self._delivered = Delivered()

        async def run(scope: Any, receive: Any, *others: Any) -> None:
            scope[KEY] = self._delivered
            await app(scope, self._inward.take, *others)

        super().__init__(run, config, *rest)
        self.app_put: Callable[..., Awaitable[None]] | None
        self._inward = Inward()
        self._limit = config.websocket_max_message_size
        self._message = MessageBuffer()
        self._frames = Allowance(MESSAGES, MESSAGES_AT_ONCE)
        self._empty = Allowance(EMPTY, EMPTY_AT_ONCE)
        self._heard = time.monotonic()
        """When the client was last heard."""
        self._waits = False
        """Whether the client is not read now, so that it cannot be heard."""
        self._refused = False
        self._app_ended = False
        self._gone = asyncio.Event()

    async def handle(self, event: Event) -> None:
        """Take what Hypercorn's protocol reports."""
        if isinstance(event, Request):
            await super().handle(replace(event, headers=[pair for pair in event.headers if _readable_header(*pair)]))
            if self.app_put is not None:
                self.app_put = self._inward.put
                await self._inward.put({"type": "websocket.connect"})
            return
        if isinstance(event, StreamClosed):
            self.closed = True
            self._gone.set()
            self._inward.hold(-len(self._message))
            self._message.clear()
            self._inward.end(ABNORMAL)
            return
        if self._refused:
            return  # it was told to close: what it still sends is not looked at
        await super().handle(event)

    async def app_send(self, message: ASGISendEvent | None) -> None:
        """Send what the app sends; None: the app has ended."""
        if message is None:
            self._app_ended = True
            self._forget()
            self._inward.end(ABNORMAL)
            if not self.closed and (self._refused or self.state is ASGIWebsocketState.CLOSED):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._gone.wait(), LINGER)
        elif message["type"] == "websocket.send":
            self._delivered.sent += 1
        await super().app_send(message)

    async def _accept(self, message: WebsocketAcceptEvent) -> None:
        self.handshake.extensions = None  # no permessage-deflate
        self._heard = time.monotonic()
        await super()._accept(message)

    async def _handle_events(self) -> None:
        """Handle the frames that came. Raises nothing for what a client sends."""
        self._heard = began = time.monotonic()
        for event in self.connection.events():
            await self._readable()
            if self.closed or self._refused:
                return
            await self._handle_event(event)
            if time.monotonic() - began > SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()

    async def _readable(self) -> None:
        self._waits = True
        await self._inward.room()
        self._waits = False
        self._heard = time.monotonic()

    async def _handle_event(self, event: object) -> None:
        if self._app_ended and not isinstance(event, CloseConnection):
            return
        now = time.monotonic()
        if isinstance(event, Ping | Pong) or (isinstance(event, Message) and not event.data):
            if self._empty.take(now):
                await self._refuse(
                    POLICY_VIOLATION, f"more than {EMPTY:g} pings or empty frames a second; send fewer than that"
                )
                return
        elif isinstance(event, Message) and (early := self._frames.take(now)):
            await asyncio.sleep(early)
        if isinstance(event, TextMessage | BytesMessage):
            await self._add(event)
        elif isinstance(event, Ping):
            await self._send_wsproto_event(event.response())
        elif isinstance(event, Pong):
            self._delivered.pong(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            await self._closed(event)

    async def _add(self, event: Message[Any]) -> None:
        self._inward.hold(self._message.extend(event))
        size = len(self._message)
        if size > self._limit:
            await self._refuse(TOO_BIG, f"a message is longer than {self._limit} bytes; send it in pieces")
        elif Held.total > MAX_HELD and size > READ_AHEAD:
            await self._refuse(TRY_AGAIN, f"clients' messages fill {MAX_HELD >> 20} MiB, the limit; try again later")
        elif event.message_finished:
            self._inward.hold(OVERHEAD)
            await self._inward.put(self._message.take(), size + OVERHEAD)

    async def _closed(self, event: CloseConnection) -> None:
        """The client closes, or broke the protocol."""
        if self.connection.state is ConnectionState.OPEN:
            await self._refuse(event.code, event.reason or "")
            return
        if self.connection.state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        self._inward.end(event.code)
        self._gone.set()
        await self.send(StreamClosed(stream_id=self.stream_id))

    def _forget(self) -> None:
        """Drop what the app has not taken."""
        self._message.clear()
        self._inward.drop()

    async def _refuse(self, code: int, reason: str, to_app: int | None = None) -> None:
        """Drop what is held, end the app, and tell the client why. `to_app`: the code that the app gets."""
        self._refused = True
        self._forget()
        self._inward.end(to_app or code, reason)
        await self._send_wsproto_event(CloseConnection(code, reason))

    async def _send_pings(self) -> None:
        """Ping until the connection is over; then return at once, because the connection waits for this task."""
        interval = min(self.config.websocket_ping_interval or SILENCE, SILENCE)
        due = time.monotonic() + interval
        while not self.closed and not self._refused:
            now = time.monotonic()
            if now >= due or self._delivered.unknown:
                await self._send_wsproto_event(Ping(self._delivered.ping()))
                due = now + interval
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), min(INTERVAL, interval))
            if not self._waits and time.monotonic() - self._heard > SILENCE and not self.closed:
                reason = f"nothing was heard for {SILENCE:g} s, not even a pong"
                await self._refuse(POLICY_VIOLATION, reason, to_app=ABNORMAL)
