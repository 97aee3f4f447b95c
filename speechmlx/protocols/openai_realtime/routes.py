"""/v1/realtime itself, and over HTTP the endpoints that make client secrets and sessions.

What they need is imported with the first of them: a server that is up answers before that.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.config import Config
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.protocols.openai_realtime.client_secrets import Secrets

LEAVING = 2.0
"""Seconds that a session has to end after its client left: so long the next client waits for its place."""


def routes(config: Config) -> list[BaseRoute]:
    """The socket, its sessions counted, and the endpoints beside it."""
    limit = config.max_text_bytes
    sessions = Sessions(config)
    posts = (
        ("/v1/realtime/client_secrets", sessions.client_secrets),
        ("/v1/realtime/sessions", sessions.sessions),
        ("/v1/realtime/transcription_sessions", sessions.transcription_sessions),
    )
    return [
        WebSocketRoute("/v1/realtime", sessions.answer),
        *(Route(path, Endpoint(answer, problem, limit, raw=True), methods=["POST"]) for path, answer in posts),
    ]


class Sessions:
    """The conversations under way, of which there may be `max_sessions`, and those that clients have a secret for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._secrets = Secrets()
        self._seats = asyncio.Semaphore(config.max_sessions)

    async def answer(self, socket: WebSocket) -> None:
        """OpenAI's Realtime API."""
        from speechmlx.protocols.openai_realtime import connection

        offered = socket.scope.get("subprotocols") or []
        await socket.accept(subprotocol=connection.subprotocol(offered))
        wire = connection.wire(socket, offered, self._secrets)
        try:
            async with asyncio.timeout(LEAVING):
                await self._seats.acquire()
        except TimeoutError:
            await connection.refuse(socket, wire, self.config.max_sessions)
            return
        try:
            await connection.converse(socket, wire, self.config)
        finally:
            self._seats.release()

    async def client_secrets(self, call: Call) -> Response:
        """Client secret for a realtime session (JSON: session, expires_after)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.client_secret(call.body, self._secrets)

    async def sessions(self, call: Call) -> Response:
        """Realtime session with a client secret, beta (JSON: a session)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.beta_session(call.body, False, self._secrets)

    async def transcription_sessions(self, call: Call) -> Response:
        """Transcription session with a client secret, beta (JSON: a session)"""
        from speechmlx.protocols.openai_realtime import connection

        return await connection.beta_session(call.body, True, self._secrets)
