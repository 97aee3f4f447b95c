"""Requests and sockets in progress. Each has a line in the log; requests are answered when the server stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import NOTES, request_id

log = logging.getLogger(__name__)

POLLED = ("/health", "/metrics")
"""Paths whose successful requests are logged at debug."""
MAX_PATH = 200
"""Characters of a path in the log."""
STOPPED = "the server was stopped before it had answered"
INTERNAL_ERROR = 1011
"""Close code of a socket whose app ended without closing it."""


class Traffic:
    """The requests and sockets in progress."""

    def __init__(self) -> None:
        self.sockets = 0
        self.exchanges: dict[asyncio.Task[object], Exchange] = {}
        self.listeners: list[Callable[[str, int], None]] = []
        """Called with the path and the status of each request that is over; the status is 0 without an answer."""
        self.streams = 0
        """Requests in progress that came in on no HTTP connection."""

    @property
    def requests(self) -> int:
        """The number of requests in progress."""
        return len(self.exchanges) + self.streams

    def stop(self) -> None:
        """Answer with 503 every request whose answer has not begun."""
        for task, exchange in self.exchanges.items():
            if not exchange.status:
                exchange.stopped = True
                task.cancel()


class TrafficLog:
    """Middleware: logs every request and socket, and lists them in `traffic` while they last."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        if scope["type"] == "http":
            await self._request(scope, exchange)
        elif scope["type"] == "websocket":
            await self._socket(scope, exchange)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, exchange: Exchange) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._traffic.exchanges[task] = exchange
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            if not exchange.stopped:
                raise
            task.uncancel()
            answer = error_response(scope["path"], 503, STOPPED, "draining", {"Retry-After": "5"})
            await refuse(answer, scope, exchange.inbox, exchange.send)
        finally:
            del self._traffic.exchanges[task]
            for listener in self._traffic.listeners:
                listener(scope["path"], exchange.status)
            good = exchange.status < 400 and exchange.complete
            level = logging.DEBUG if good and scope["path"] in POLLED else logging.INFO
            exchange.log_line(level if exchange.status < 500 else logging.WARNING, exchange.outcome)

    async def _socket(self, scope: Scope, exchange: Exchange) -> None:
        self._traffic.sockets += 1
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._traffic.sockets -= 1
            exchange.log_line(logging.INFO, exchange.outcome)


class Exchange:
    """One request or socket: its state, and the bytes that came and went, or characters where a socket has text."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inbox = Inbox(receive)
        self.status = 0
        """Status of the answer; 0 until it begins."""
        self.complete = False
        """Whether the whole answer was sent."""
        self.open = False
        """Whether a socket was accepted."""
        self.closed = ""
        """A socket's close code, with the reason where a bound was passed; or "by the client"."""
        self.stopped = False
        self._disconnected = False
        self._scope = scope
        self._send = send
        self._started = time.monotonic()
        self._received = self._sent = 0

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        message = await self.inbox()
        if message["type"] == "websocket.disconnect":
            reason = message.get("reason")
            self.closed = self.closed or (f"{message['code']}: {reason}" if reason else "by the client")
        self._disconnected |= message["type"] == "http.disconnect"
        self._received += _length(message)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.open = True
            log.info("%s opened [%s]", self._name, request_id(self._scope))
        elif kind == "websocket.close":
            self.closed = self.closed or str(message.get("code", 1000))
            self.status = self.status or 403  # if it was not accepted
        elif kind.endswith("response.start"):
            self.status = message["status"]
        await self._send(message)
        self._sent += _length(message)
        self.complete |= kind.endswith("response.body") and not message.get("more_body", False)

    @property
    def outcome(self) -> str:
        """How it ended, for the log."""
        if self.open:
            return f"closed {self.closed or INTERNAL_ERROR}"
        ended = "" if self.complete else " the client left" if self._disconnected else " broken off"
        return f"{self.status or 'unanswered:'}{ended}"

    def log_line(self, level: int, outcome: str) -> None:
        """Write its line in the log."""
        seconds = time.monotonic() - self._started
        notes = "".join(f", {note}" for note in self._scope.get(NOTES, ()))
        sizes = f"{_size(self._received)} in, {_size(self._sent)} out"
        log.log(level, "%s %s, %.3f s, %s%s [%s]", self._name, outcome, seconds, sizes, notes, request_id(self._scope))

    @property
    def _name(self) -> str:
        """Client, method and path. The query is left out, because it may hold keys."""
        client = (self._scope.get("client") or ("-",))[0]
        return f"{client} {self._scope.get('method', 'WebSocket')} {self._scope['path'][:MAX_PATH]}"


def _length(message: Message) -> int:
    return len(message.get("body") or message.get("bytes") or message.get("text") or "")


def _size(count: int) -> str:
    """A number of bytes with a unit."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB" if count >= 1e3 else f"{count} B"
