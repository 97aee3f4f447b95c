"""An id for each request, which its answer and the log name, and notes for its line in the log."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speechmlx.log import RequestRecord, current, new_id, recording

KEY = "speechmlx.request_id"
"""Key of the id in the scope."""
NOTES = "speechmlx.notes"
"""Key of the notes in the scope: a list of text."""
HEADER = "x-request-id"
HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""Types of the messages that hold an answer's headers."""
GIVEN = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}")
"""An id of a client that is taken. Any other is replaced by one of our own."""


def request_id(scope: Scope) -> str:
    """The id of a request or socket; "-" outside of RequestId."""
    return str(scope.get(KEY, "-"))


def add_log_note(scope: Scope, text: str) -> None:
    """Add a note to the request's line in the log. It must hold no speech, no client's text and no key."""
    scope.setdefault(NOTES, []).append(text)


class RequestId:
    """Middleware: gives each request and socket an id, as scope[KEY] and as the answer's header x-request-id.

    It is the one that the client sent in that header, where GIVEN allows it. What runs behind it finds the request's
    record for the log; `with_transcripts`: what is recognised is logged.
    """

    def __init__(self, app: ASGIApp, with_transcripts: bool = False) -> None:
        self._app = app
        self._with_transcripts = with_transcripts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        id = given_id(scope) or new_id()
        scope[KEY] = id
        scope[NOTES] = []  # here, so that copies of the scope share the list

        async def send_with_id(message: Message) -> None:
            if message["type"] in HEADS:
                MutableHeaders(scope=message).setdefault(HEADER, id)
            await send(message)

        with recording(RequestRecord(id, self._with_transcripts)):
            await self._app(scope, receive, send_with_id)


def given_id(scope: Scope) -> str | None:
    """The id that the client sent with a request, where it may be one."""
    given = [value for name, value in scope["headers"] if name == HEADER.encode()]
    return given[0].decode() if len(given) == 1 and GIVEN.fullmatch(given[0]) else None


class NamedRoute:
    """ASGI app of a route that tells the log the protocol and the path of what comes to it."""

    def __init__(self, app: ASGIApp, wire: str, path: str) -> None:
        self._app = app
        self._wire = wire
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (record := current()) is not None:
            record.wire, record.route = self._wire, self._path
        await self._app(scope, receive, send)


def name_route(route: BaseRoute, wire: str) -> None:
    """Let a route tell the log that it is one of the protocol `wire`."""
    app, path = getattr(route, "app", None), getattr(route, "path", None)
    if app is not None and path is not None:
        route.app = NamedRoute(app, wire, path or "/")  # type: ignore[attr-defined]
