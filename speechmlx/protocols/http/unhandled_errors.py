"""The answer to exceptions that no route handled. It has an id and CORS headers like every other answer."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from speechmlx.errors import EngineFailed
from speechmlx.log import note_error
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import HEADS, request_id

log = logging.getLogger(__name__)


class UnhandledErrors:
    """Middleware: logs an exception, and answers 500 where no answer has begun. Ignores that a client left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun |= message["type"] in HEADS
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except (ClientDisconnect, WebSocketDisconnect):
            pass
        except Exception:
            log.exception("%s failed", scope["path"])
            note_error(EngineFailed.code)
            if not begun:
                message = f"the server failed on this request; its log has the traceback, under {request_id(scope)}"
                await error_response(scope["path"], 500, message, EngineFailed.code)(scope, receive, send)
