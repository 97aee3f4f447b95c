"""Endpoint: the ASGI app around one handler. It reads the body, ends the work of clients that leave, answers errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.request_body import Body, read_body
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.unhandled_errors import unhandled
from speechmlx.runtime.front.runtime import Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestContext:
    """One HTTP request in progress, as its handler gets it.

    `stack` closes when the response is out or the client has left. Enter jobs there: closing cancels them.
    """

    request: Request
    services: Services
    body: Body
    stack: AsyncExitStack

    @property
    def runtime(self) -> Runtime:
        """The server's runtime."""
        return self.services.runtime


Handler = Callable[[RequestContext], Awaitable[Response]]
ErrorHandler = Callable[[SpeechError], Response]


class Endpoint:
    """An ASGI app that answers with `handler`, and with `problem` where a SpeechError is raised.

    The body, of at most `limit` bytes, is read before `handler` runs. `raw` leaves it unparsed. When the client leaves,
    `handler` is cancelled.
    """

    def __init__(
        self, services: Services, handler: Handler, problem: ErrorHandler, limit: int, raw: bool = False
    ) -> None:
        self.__name__ = getattr(handler, "__name__", type(handler).__name__)
        self.__doc__ = handler.__doc__
        self.services = services
        self.handler = handler
        self.problem = problem
        self.limit = limit
        self.raw = raw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inbox = Inbox(receive)
        request = Request(scope, inbox, send)
        async with AsyncExitStack() as stack:
            try:
                body = await read_body(request, self.limit, stack, self.raw)
            except ClientDisconnect:
                return
            except SpeechError as error:
                note_error(error.code)
                await refuse(self.problem(error), scope, inbox, send)
                return
            except Exception:
                await refuse(self.problem(self._unexpected(scope)), scope, inbox, send)
                return
            context = RequestContext(request, self.services, body, stack)
            await _unless_disconnected(self._respond(context, send), inbox)

    async def _respond(self, context: RequestContext, send: Send) -> None:
        scope = context.request.scope
        try:
            response = await self.handler(context)
        except SpeechError as error:
            note_error(error.code)
            if isinstance(error, EngineFailed):
                log.error("%s failed: %s", self.__name__, error)
            response = self.problem(error)
        except Exception:
            response = self.problem(self._unexpected(scope))
        try:
            await response(scope, context.request.receive, send)
        except SpeechError as error:
            # The status was sent. The client notices that the body's end is missing.
            log.warning("%s broke off: %s", self.__name__, error)
            note_error(error.code)

    def _unexpected(self, scope: Scope) -> EngineFailed:
        return unhandled(self.services.runtime.refusal, self.__name__, scope)


async def _unless_disconnected(work: Coroutine[Any, Any, None], inbox: Inbox) -> None:
    """Run `work`; cancel it when the client leaves."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_disconnected(inbox))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnected(inbox: Inbox) -> None:
    while (await inbox())["type"] != "http.disconnect":
        pass
