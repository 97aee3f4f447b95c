"""The answer to exceptions that no route handled. It has an id and CORS headers like every other answer."""

from __future__ import annotations

import logging
import sys

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from speechmlx.errors import EngineFailed, EngineLost
from speechmlx.log import note_error
from speechmlx.protocols.http.error_status import headers, status
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import HEADS, request_id
from speechmlx.runtime.front.refusal import WorkRefusal

log = logging.getLogger(__name__)


class UnhandledErrors:
    """Middleware: logs an exception, and answers 500 where no answer has begun. Ignores that a client left.

    503 where `refusal` says why: such as that the files are gone which this program runs from.
    """

    def __init__(self, app: ASGIApp, refusal: WorkRefusal) -> None:
        self._app = app
        self._refusal = refusal

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
            error, path = unhandled(self._refusal, scope["path"], scope), scope["path"]
            if not begun:
                answer = error_response(path, status(error), error.message, error.code, headers(error))
                await answer(scope, receive, send)


def unhandled(refusal: WorkRefusal, name: str, scope: Scope) -> EngineFailed:
    """Log the current exception, and return the error that the client of `scope` gets instead of it."""
    return accident(refusal, name, f"the traceback, under {request_id(scope)}")


def accident(refusal: WorkRefusal, name: str, more: str = "more") -> EngineFailed:
    """Log the current exception, and return the error that a client gets instead of it. The log has `more`."""
    raised = sys.exception()
    try:
        refusal.check()
    except EngineLost as why:
        log.warning("%s failed, and this server can do no more work: %s", name, raised)
        note_error(why.code)
        return why
    log.exception("%s failed", name)
    note_error(EngineFailed.code)
    return EngineFailed(f"the server failed on this request; its log has {more}")
