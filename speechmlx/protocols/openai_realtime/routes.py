"""Routes of the WebSocket /v1/realtime and of the HTTP endpoints that make client secrets and sessions.

connection.py and its dependencies are imported at the first request, so that the server starts faster.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.errors import Busy, LicenceNotAccepted
from speechmlx.log import note_error
from speechmlx.protocols import live_sessions
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.openai_realtime.client_secrets import Secrets


def routes(services: Services) -> list[BaseRoute]:
    """The WebSocket route and the HTTP routes."""
    limit = services.config.max_text_bytes
    sessions = Sessions(services)
    posts = (
        ("/v1/realtime/client_secrets", sessions.client_secrets),
        ("/v1/realtime/sessions", sessions.sessions),
        ("/v1/realtime/transcription_sessions", sessions.transcription_sessions),
    )
    return [
        WebSocketRoute("/v1/realtime", sessions.answer),
        *(
            Route(path, Endpoint(services, handler, problem, limit, raw=True), methods=["POST"])
            for path, handler in posts
        ),
    ]


class Sessions:
    """Handlers of the routes. They share the client secrets."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._secrets = Secrets(services.keys)

    @after_import("speechmlx.protocols.openai_realtime.connection")
    async def answer(self, socket: WebSocket) -> None:
        """Accept a WebSocket and run its conversation, or go on with one.

        Refuse it where the server is full, and before the handshake where it names a model that may not be used.
        """
        from speechmlx.protocols.openai_realtime import connection

        offered = socket.scope.get("subprotocols") or []
        chosen = connection.subprotocol(offered)
        wire = connection.build_wire(socket, offered, self._secrets)
        if live_sessions.asks(socket):
            await socket.accept(subprotocol=chosen)
            place, refuse = connection.place_in(socket), partial(connection.refuse_unknown, socket, wire)
            revive = partial(connection.revive, socket, wire, self.services)
            await self.services.live.resume(socket, refuse, place=place, revive=revive)
            return
        try:
            connection.check_models(self.services.names, wire)
        except LicenceNotAccepted as error:
            note_error(error.code)
            await socket.send_denial_response(problem(error))
            return
        await socket.accept(chosen, [live_sessions.header(wire.session["id"])])
        async with AsyncExitStack() as places:
            try:
                await places.enter_async_context(self.services.sessions.session())
            except Busy as error:
                await connection.refuse(socket, wire, error)
                return
            await connection.converse(socket, wire, self.services, places)

    @after_import("speechmlx.protocols.openai_realtime.connection")
    async def client_secrets(self, context: RequestContext) -> Response:
        """Client secret for a realtime session (JSON: session, expires_after)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.client_secret(context.body, self._secrets)

    @after_import("speechmlx.protocols.openai_realtime.connection")
    async def sessions(self, context: RequestContext) -> Response:
        """Realtime session with a client secret, beta (JSON: a session)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.beta_session(context.body, False, self._secrets)

    @after_import("speechmlx.protocols.openai_realtime.connection")
    async def transcription_sessions(self, context: RequestContext) -> Response:
        """Transcription session with a client secret, beta (JSON: a session)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.beta_session(context.body, True, self._secrets)
