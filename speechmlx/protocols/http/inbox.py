"""ASGI's `receive` that knows where a body ends, and answers sent before a body was read."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send


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
    """Send `response`, and end the request though its body was not read.

    The connection drops what the client still sends (`ReadConnection`, `SecureHttp`), so that it reads the answer and
    sees no reset.
    """
    if not inbox.complete:
        response.headers["connection"] = "close"
    await response(scope, inbox, send)
