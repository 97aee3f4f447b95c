"""Every answer has an id by which client and log can speak of it."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEY = "speechmlx.request_id"
"""Of the scope."""


class RequestId:
    """Middleware that gives HTTP requests an id: x-request-id of the response, and scope[KEY]."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = f"req_{secrets.token_hex(12)}"
        scope[KEY] = id

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("x-request-id", id)
            await send(message)

        await self._app(scope, receive, with_id)
