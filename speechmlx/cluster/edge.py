"""The proxy's end of a request: its client is answered whatever happens to the replica.

Ray Serve calls `middlewares` in each of its proxies ($RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH). Its proxies know no
wire: where a replica is lost they answer 500, or cut a socket without a close code.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.cluster.credit import TAKEN, SendWindow, TakenCount
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.rate import Allowance

REACH = 1.5
"""Seconds in which a replica must take a request; then its client is told to try again."""
STALL = 60.0
"""Seconds in which a client has to take a message."""
MESSAGES, MESSAGES_AT_ONCE = 2000.0, 4000.0
"""Messages of a socket a second, and at once. A client that sends more is read no faster."""
RETRY = {"Retry-After": "1"}
SERVICE_RESTART = 1012
RAYS_OWN = "/-/"
"""Paths that Ray Serve's proxy answers itself."""
NO_REPLICA = "no replica of this server can take the request now; try again"
LOST = "the replica that worked on this was lost; try again"
LOST_SESSION = "the replica of this session was lost: connect again and begin a new session"
"""At most 123 bytes, as a close frame holds."""


def middlewares() -> list[Middleware]:
    """What Ray Serve's proxies put around the requests."""
    return [Middleware(Edge)]


class Edge:
    """Middleware around Ray Serve's proxy."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(RAYS_OWN):
            await self._app(scope, receive, send)
            return
        exchange = EdgeExchange(scope, receive, send)
        try:
            async with asyncio.timeout(REACH) as limit:
                exchange.limit = limit
                await self._app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            exchange.stop_reading()
        await exchange.finish()


class EdgeExchange:
    """One request or socket, from its client's side."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.limit: asyncio.Timeout | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._window = SendWindow()
        self._taken = TakenCount()
        self._reports: asyncio.Queue[Message] = asyncio.Queue()
        self._reading: asyncio.Task[Message] | None = None
        self._messages = Allowance(MESSAGES, MESSAGES_AT_ONCE)
        self._reached = False
        """Whether a replica has the request."""
        self._rays_answer: tuple[int, Headers] | None = None
        """Status and headers of an answer that is Ray's own."""
        self._rays_words = b""
        self._began = self._accepted = self._over = False
        """Whether the answer began; the socket was accepted; nothing more can be sent."""

    # --- from the client ---

    async def receive(self) -> Message:
        """ASGI's `receive` for Ray: what the client sends, no faster than the replica takes it, and reports to it."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._next())
        reporting = asyncio.create_task(self._reports.get())
        try:
            await asyncio.wait({self._reading, reporting}, return_when=asyncio.FIRST_COMPLETED)
            if reporting.done():
                return reporting.result()
        finally:
            reporting.cancel()
        message = self._reading.result()
        self._reading = None
        return message

    def stop_reading(self) -> None:
        """Ray asks for nothing more."""
        if self._reading is not None:
            self._reading.cancel()

    async def _next(self) -> Message:
        """The client's next message."""
        await self._window.room()
        message = await self._receive()
        self._over |= message["type"].endswith("disconnect")
        if message["type"] == "websocket.receive" and (early := self._messages.take(time.monotonic())):
            await asyncio.sleep(early)
        self._window.add(message)
        return message

    # --- from the replica ---

    async def send(self, message: Message) -> None:
        """ASGI's `send` for Ray. Raises TimeoutError when the client does not read."""
        kind = message["type"]
        if kind == TAKEN:
            self._reach()
            self._window.taken(message["size"])
        elif not self._reached:
            self._keep(message)
        else:
            self._note(message)
            async with asyncio.timeout(STALL):
                await self._send(message)
            if report := self._taken.take(message):
                self._reports.put_nowait(report)

    def _reach(self) -> None:
        if not self._reached and self.limit is not None:
            self._reached = True
            with contextlib.suppress(RuntimeError):  # the time is over already
                self.limit.reschedule(None)

    def _keep(self, message: Message) -> None:
        """Keep an answer of Ray's own: `finish` says it in the words of the client's wire."""
        if message["type"] == "http.response.start":
            self._rays_answer = message["status"], Headers(raw=[(k.lower(), v) for k, v in message["headers"]])
        elif message["type"] == "http.response.body":
            self._rays_words += message.get("body", b"")

    def _note(self, message: Message) -> None:
        """Note how far the answer is. Ray adds its id of the request to ours: one is enough."""
        kind = message["type"]
        self._began |= kind.endswith("response.start")
        self._accepted |= kind == "websocket.accept"
        self._over |= kind == "websocket.close"
        if kind == "http.response.start":
            message["headers"] = _with_one_id(message["headers"])

    # --- the end ---

    async def finish(self) -> None:
        """Answer a client that has no answer yet, after Ray has ended the request."""
        if self._over or self._began:
            return  # uvicorn cuts an answer that is not complete
        if self._accepted:
            await self._send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": LOST_SESSION})
            return
        status, words, headers = 503, LOST if self._reached else NO_REPLICA, RETRY
        if self._rays_answer is not None:
            status, rays = self._rays_answer
            status = 503 if status == 404 else status  # Ray's 404: the app is not deployed, or not yet
            words = self._rays_words.decode(errors="replace")[:500] if status != 503 else NO_REPLICA
            headers = {"Retry-After": rays.get("retry-after", RETRY["Retry-After"])}
        answer = error_response(
            self._scope["path"], status, words, "replica_lost" if self._reached else "busy", headers
        )
        await answer(self._scope, self._receive, self._send)


def _with_one_id(headers: Any) -> list[tuple[bytes, bytes]]:
    """The headers with the first x-request-id alone."""
    kept, seen = [], False
    for name, value in headers:
        if name.lower() != b"x-request-id":
            kept.append((name, value))
        elif not seen:
            kept.append((name, value))
            seen = True
    return kept
