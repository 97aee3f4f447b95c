"""Requests and sockets in progress. Each has a line in the log; requests are answered when the server stops."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.log import RequestRecord, current
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import NOTES, request_id

log = logging.getLogger(__name__)

POLLED = ("/health", "/metrics")
"""Paths whose successful requests are logged at debug."""
MAX_PATH = 200
"""Characters of a path in the log."""
STOPPED = "the server was stopped before it had answered"
ENDS = (1000, 1001, 1005, 1006, 1012)
"""Close codes of sockets that one side just ended, or the network, or the stop of the server."""
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
            exchange.log_line(level if exchange.status < 500 else logging.WARNING)

    async def _socket(self, scope: Scope, exchange: Exchange) -> None:
        self._traffic.sockets += 1
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._traffic.sockets -= 1
            exchange.log_line(logging.INFO)


class Exchange:
    """One request or socket: its state, and the bytes that came and went, or characters where a socket has text."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inbox = Inbox(receive)
        self.status = 0
        """Status of the answer; 0 until it begins."""
        self.complete = False
        """Whether the whole answer was given to the server."""
        self.open = False
        """Whether a socket was accepted."""
        self.closed = ""
        """A socket's close code, with the reason where a bound was passed; or "by the client"."""
        self.code = 0
        """A socket's close code; 0 until it is closed."""
        self.stopped = False
        self._first_byte: float | None = None
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
            self.code = self.code or message["code"]
            self.closed = self.closed or (f"{message['code']}: {reason}" if reason else "by the client")
        self._disconnected |= message["type"] == "http.disconnect"
        self._received += _length(message)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.open = True
            text = f"{self._client} {self._name} opened"
            self._log(logging.INFO, f"{self._name} opened", text, {"event": "opened", **self._who()})
        elif kind == "websocket.close":
            self.code = self.code or message.get("code", 1000)
            self.closed = self.closed or str(message.get("code", 1000))
            self.status = self.status or 403  # if it was not accepted
        elif kind.endswith("response.start"):
            self.status = message["status"]
        # Before it is sent: the server ends the connection with the last part where the client asks for that, and
        # the end of a connection cancels what sends an answer in parts.
        self.complete |= kind.endswith("response.body") and not message.get("more_body", False)
        await self._send(message)
        if (size := _length(message)) and self._first_byte is None:
            self._first_byte = time.monotonic() - self._started
        self._sent += size

    @property
    def outcome(self) -> str:
        """How it ended, for people."""
        if self.open:
            return f"closed {self.closed or INTERNAL_ERROR}"
        ended = "" if self.complete else " the client left" if self._disconnected else " broken off"
        return f"{self.status or 'unanswered:'}{ended}"

    @property
    def outcome_code(self) -> str:
        """How it ended, for programs: ok, refused, failed, client_left, broken_off or stopped."""
        if self.open:
            code = self.code or INTERNAL_ERROR
            return "ok" if code in ENDS else "failed" if code == INTERNAL_ERROR else "refused"
        if self.stopped:
            return "stopped"
        if not self.complete and self.status < 400:
            return "client_left" if self._disconnected else "broken_off"
        return "ok" if self.status < 400 else "refused" if self.status < 500 else "failed"

    def log_line(self, level: int) -> None:
        """Write its line in the log."""
        if not log.isEnabledFor(level):
            return
        seconds = time.monotonic() - self._started
        notes: list[str] = self._scope.get(NOTES, [])
        record = current() or RequestRecord(request_id(self._scope))
        text = (
            f"{self._client} {self._name} {self.outcome}, {seconds:.3f} s, {_size(self._received)} in, "
            f"{_size(self._sent)} out{described(record)}{''.join(f', {note}' for note in notes)}"
        )
        fields = {
            "event": "session" if self._scope["type"] == "websocket" else "request",
            **self._who(),
            "status": None if self.open else self.status or None,
            "close_code": (self.code or INTERNAL_ERROR) if self.open else None,
            "outcome": self.outcome_code,
            "duration_s": round(seconds, 4),
            "first_byte_s": None if self._first_byte is None else round(self._first_byte, 4),
            "bytes_in": self._received,
            "bytes_out": self._sent,
            **facts(record),
            "notes": notes or None,
        }
        self._log(level, f"{self._name} {self.outcome}", text, fields)

    def _log(self, level: int, message: str, text: str, fields: dict[str, Any]) -> None:
        about = {"request_id": request_id(self._scope), "text": text, "fields": fields}
        log.log(level, "%s", message, extra=about)

    def _who(self) -> dict[str, Any]:
        return {
            "client": self._client,
            "method": self._scope.get("method", "WebSocket"),
            "path": self._scope["path"][:MAX_PATH],
        }

    @property
    def _client(self) -> str:
        return str((self._scope.get("client") or ("-",))[0])

    @property
    def _name(self) -> str:
        """Method and path. The query is left out, because it may hold keys."""
        return f"{self._scope.get('method', 'WebSocket')} {self._scope['path'][:MAX_PATH]}"


def facts(record: RequestRecord) -> dict[str, Any]:
    """What is known of a request or session, as fields of its line; None for what is not."""
    return {
        "key": record.key,
        "wire": record.wire,
        "route": record.route,
        "models": record.models or None,
        "audio_in_s": round(record.audio_in, 3) or None,
        "audio_out_s": round(record.audio_out, 3) or None,
        "first_audio_s": None if record.first_audio is None else round(record.first_audio, 4),
        "error": record.error,
        "errors": record.errors if record.errors > 1 else None,
        "transcript": record.transcript,
    }


def described(record: RequestRecord) -> str:
    """The same for people, with a comma before each part. The wire and the route are left out: they see the path."""
    parts = [" + ".join(record.models)] if record.models else []
    parts += [f"{record.audio_in:.1f} s of sound"] if record.audio_in else []
    if record.first_audio is not None:
        parts.append(f"{record.audio_out:.1f} s made, first after {record.first_audio:.3f} s")
    parts += [f"key {record.key}"] if record.key else []
    parts += [record.error + (f" and {record.errors - 1} more" if record.errors > 1 else "")] if record.error else []
    parts += [f"heard {record.transcript!r}"] if record.transcript is not None else []
    return "".join(f", {part}" for part in parts)


def _length(message: Message) -> int:
    return len(message.get("body") or message.get("bytes") or message.get("text") or "")


def _size(count: int) -> str:
    """A number of bytes with a unit."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB" if count >= 1e3 else f"{count} B"
