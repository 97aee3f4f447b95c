"""Endpoint: the ASGI app around one answer. It ends the work when the client leaves and tells what went wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.protocols.http.request_body import Body, read_body
from speechmlx.protocols.http.request_id import id_of
from speechmlx.runtime.front.runtime import Runtime

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds to let a client finish sending a body that was refused, so that it sees the answer and not a reset."""


@dataclass(frozen=True)
class Call:
    """One request under way. `stack` closes when the response is out or the client gone: jobs are entered there."""

    request: Request
    runtime: Runtime
    body: Body
    stack: AsyncExitStack


Answer = Callable[[Call], Awaitable[Response]]
Problem = Callable[[SpeechError], Response]


class Endpoint:
    """`answer` gives the response, `problem` the one for an error, `limit` the bytes a body may have.

    The body is read before `answer` runs (`raw`: as it is, for `answer` to parse). From then on a client that leaves
    cancels everything.
    """

    def __init__(self, answer: Answer, problem: Problem, limit: int, raw: bool = False) -> None:
        self.__name__ = getattr(answer, "__name__", type(answer).__name__)
        self.__doc__ = answer.__doc__
        self.answer = answer
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
                await refuse(self.problem(error), scope, inbox, send)
                return
            except Exception:
                await refuse(self.problem(self._failed(scope)), scope, inbox, send)
                return
            call = Call(request, scope["app"].state.runtime, body, stack)
            await _unless_gone(self._respond(call, send), inbox)

    async def _respond(self, call: Call, send: Send) -> None:
        try:
            response = await self.answer(call)
        except SpeechError as error:
            if isinstance(error, EngineFailed):
                log.error("%s: %s failed: %s", id_of(call.request.scope), self.__name__, error)
            response = self.problem(error)
        except Exception:
            response = self.problem(self._failed(call.request.scope))
        try:
            await response(call.request.scope, call.request.receive, send)
        except SpeechError as error:
            # The status is out: all that is left is to break the body off, which its missing end does.
            log.warning("%s: %s broke off: %s", id_of(call.request.scope), self.__name__, error)

    def _failed(self, scope: Scope) -> EngineFailed:
        """The error for an exception that nobody foresaw, which is logged."""
        log.exception("%s: %s failed", id_of(scope), self.__name__)
        return EngineFailed(f"the server failed on this request; its log has the traceback, under {id_of(scope)}")


class Inbox:
    """ASGI's `receive`, which also knows whether the body is `complete`."""

    def __init__(self, receive: Receive) -> None:
        self.complete = False
        self._receive = receive

    async def __call__(self) -> Message:
        message = await self._receive()
        self.complete |= message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message


async def _unless_gone(work: Coroutine[Any, Any, None], inbox: Inbox) -> None:
    """Run `work`, and cancel it when the client leaves."""
    working = asyncio.create_task(work)
    watching = asyncio.create_task(_gone(inbox))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(inbox: Inbox) -> None:
    while (await inbox())["type"] != "http.disconnect":
        pass


async def refuse(response: Response, scope: Scope, inbox: Inbox, send: Send) -> None:
    """Answer before the body is read, then take the rest for a moment: a client still sending would see a reset.

    The rest is taken until the very end: the server under us waits for room for it before it closes.
    """
    if inbox.complete:
        await response(scope, inbox, send)
        return
    reading = asyncio.create_task(_rest(inbox))

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


async def _rest(inbox: Inbox) -> None:
    while not inbox.complete:
        await inbox()
