"""ASGI's `receive` that knows where a body ends, and answers sent before a body was read."""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

LINGER = 2.0
"""Seconds that a client gets to finish sending a body that was refused, so that it reads the answer."""


class Inbox:
    """ASGI's `receive`. `complete` is True when the whole body has come or the client has left."""

    def __init__(self, receive: Receive) -> None:
        self.complete = False
        self._receive = receive

    async def __call__(self) -> Message:
        message = await self._receive()
        self.complete |= message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


async def refuse(response: Response, scope: Scope, inbox: Inbox, send: Send) -> None:
    """Send `response` before the body was read, then drop what the client still sends, for LINGER seconds at most.

    A client that is still sending when the connection closes sees a reset instead of the answer. The body is read
    until the very end, because Hypercorn waits for room in its queue before it closes.
    """
    if inbox.complete:
        await response(scope, inbox, send)
        return
    reading = asyncio.create_task(_drop_rest(inbox))

    async def send_and_linger(message: Message) -> None:
        if message["type"] == "http.response.body":
            await send({**message, "more_body": True})
            await asyncio.wait({reading}, timeout=LINGER)
            message = {**message, "body": b""}
        await send(message)

    response.headers["connection"] = "close"
    try:
        await response(scope, inbox, send_and_linger)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _drop_rest(inbox: Inbox) -> None:
    while not inbox.complete:
        await inbox()
