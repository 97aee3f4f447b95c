"""Every answer has an id by which client and log can speak of it, and notes for its line in the log."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "speechmlx.request_id"
"""Of the scope."""


NOTES = "speechmlx.notes"
"""Of the scope: what the request's line in the log says besides."""
HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""Messages with the headers of an answer."""


def id_of(scope: Scope) -> str:
    """By which client and log speak of the request."""
    return str(scope.get(KEY, "-"))


def note(scope: Scope, text: str) -> None:
    """Have the request's line in the log say this too; no text of people, no key."""
    scope.setdefault(NOTES, []).append(text)


class RequestId:
    """Middleware that gives requests and sockets an id: x-request-id of the answer, and scope[KEY]."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id = f"req_{secrets.token_hex(12)}"
        scope[KEY] = id
        scope[NOTES] = []  # here, so that copies of the scope hold the same list

        async def with_id(message: Message) -> None:
            if message["type"] in HEADS:
                MutableHeaders(scope=message).setdefault("x-request-id", id)
            await send(message)

        await self._app(scope, receive, with_id)
