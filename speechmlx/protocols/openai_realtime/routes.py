"""/v1/realtime itself, and over HTTP the endpoints that make client secrets and sessions."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.config import Config
from speechmlx.conversation import events as say
from speechmlx.conversation.history import fresh
from speechmlx.errors import Busy
from speechmlx.protocols.openai_realtime import shapes
from speechmlx.protocols.openai_realtime.fields import Dialect, Json, Refused, fields, merged, number, of, one_of
from speechmlx.protocols.openai_realtime.wire import Wire

LIFETIME = 3600
"""Seconds until a session says it expires; nothing here ends it."""
SECRET_SECONDS = (10, 7200)
SECRET_LIFETIME = 600
SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
BETA_HEADER = "realtime=v1"
POLICY_VIOLATION = 1008


def routes(config: Config) -> list[BaseRoute]:
    """The socket, its sessions counted, and the endpoints beside it."""
    return [
        WebSocketRoute("/v1/realtime", Sessions(config).answer),
        Route("/v1/realtime/client_secrets", client_secrets, methods=["POST"]),
        Route("/v1/realtime/sessions", sessions, methods=["POST"]),
        Route("/v1/realtime/transcription_sessions", transcription_sessions, methods=["POST"]),
    ]


class Sessions:
    """The conversations under way, of which there may be `max_sessions`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.limit = config.max_sessions
        self._count = 0

    async def answer(self, socket: WebSocket) -> None:
        """OpenAI's Realtime API."""
        offered = socket.scope.get("subprotocols") or []
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        wire = _wire(socket, offered)
        if self._count >= self.limit:
            await self._refuse(socket, wire)
            return
        self._count += 1
        try:
            await _converse(socket, wire, self.config)
        finally:
            self._count -= 1

    async def _refuse(self, socket: WebSocket, wire: Wire) -> None:
        full = Busy(f"{self.limit} realtime sessions are open, which is the limit (max_sessions); try again later")
        for message in wire.send(say.Failed(full, "sessions")):
            await socket.send_text(message)
        await socket.close(POLICY_VIOLATION, "session_limit_reached")


async def _converse(socket: WebSocket, wire: Wire, config: Config) -> None:
    # The first connection imports what only a conversation needs: a server that is up answers before that.
    from speechmlx.conversation.endpoint import writer
    from speechmlx.conversation.session import Session
    from speechmlx.protocols import ws

    await ws.send(socket, wire.greeting())
    write = writer(config.llm_url, config.llm_url_model, config.llm_url_key) if config.llm_url else None
    runtime = socket.app.state.runtime
    await ws.pump(socket, wire, Session(runtime, wire.settings, write), runtime.drained)


def _wire(socket: WebSocket, offered: list[str]) -> Wire:
    beta = BETA_HEADER in socket.headers.get("openai-beta", "") or BETA_SUBPROTOCOL in offered
    dialect: Dialect = "beta" if beta else "ga"
    transcribes = socket.query_params.get("intent") == "transcription"
    model = socket.query_params.get("model", "")
    return Wire(dialect, model, transcribes, int(time.time()) + LIFETIME)


# --- HTTP --------------------------------------------------------------------------------------------------------


async def client_secrets(request: Request) -> Response:
    """Client secret for a realtime session (JSON: session, expires_after)"""
    try:
        body = await _body(request)
        given = of(dict)(body.get("session") or {}, "session")
        kind = one_of("realtime", "transcription")(given.get("type") or "realtime", "session.type")
        session = _session(given, kind == "transcription")
        seconds = number(*SECRET_SECONDS, whole=True)
        after = fields({"seconds": seconds})(body.get("expires_after") or {}, "expires_after")
    except Refused as error:
        return _problem(error)
    secret = _secret(after.get("seconds", SECRET_LIFETIME))
    return JSONResponse({**secret, "session": session})


async def sessions(request: Request) -> Response:
    """Realtime session with a client secret, beta (JSON: a session)"""
    return await _beta_session(request, transcribes=False)


async def transcription_sessions(request: Request) -> Response:
    """Transcription session with a client secret, beta (JSON: a session)"""
    return await _beta_session(request, transcribes=True)


async def _beta_session(request: Request, transcribes: bool) -> Response:
    try:
        session = _session(shapes.from_flat(await _body(request)), transcribes)
    except Refused as error:
        return _problem(error)
    return JSONResponse({**shapes.to_flat(session), "client_secret": _secret(SECRET_LIFETIME)})


def _session(given: Json, transcribes: bool) -> Json:
    model = given.get("model")
    model = "" if model is None else of(str)(model, "session.model")
    session = shapes.fresh_session(fresh("sess"), model, int(time.time()) + LIFETIME, transcribes)
    return merged(session, given)


async def _body(request: Request) -> Json:
    raw = await request.body()
    try:
        body: Any = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refused(f"The body is not JSON: {error}.", "invalid_json") from None
    found: Json = of(dict)(body, "body")
    return found


def _secret(seconds: int) -> Json:
    """Any bearer is welcome here; clients only need one to present."""
    return {"value": f"ek_{secrets.token_hex(16)}", "expires_at": int(time.time()) + seconds}


def _problem(error: Refused) -> Response:
    body = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return JSONResponse({"error": body}, 400)
