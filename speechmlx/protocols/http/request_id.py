"""An id for each request, which its answer and the log name, and notes for its line in the log."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "speechmlx.request_id"
"""Key of the id in the scope."""
NOTES = "speechmlx.notes"
"""Key of the notes in the scope: a list of text."""
HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""Types of the messages that hold an answer's headers."""


def request_id(scope: Scope) -> str:
    """The id of a request or socket; "-" outside of RequestId."""
    return str(scope.get(KEY, "-"))


def add_log_note(scope: Scope, text: str) -> None:
    """Add a note to the request's line in the log. It must hold no speech, no client's text and no key."""
    scope.setdefault(NOTES, []).append(text)


class RequestId:
    """Middleware: gives each request and socket an id, as scope[KEY] and as the answer's header x-request-id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id = f"req_{secrets.token_hex(12)}"
        scope[KEY] = id
        scope[NOTES] = []  # here, so that copies of the scope share the list

        async def send_with_id(message: Message) -> None:
            if message["type"] in HEADS:
                MutableHeaders(scope=message).setdefault("x-request-id", id)
            await send(message)

        await self._app(scope, receive, send_with_id)
