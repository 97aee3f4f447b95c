"""One connection to /v1/realtime, and sessions made over HTTP: imported when the first of them comes."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from speechmlx.conversation import events as say
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.engines import has_default
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.errors import Busy
from speechmlx.models.spec import Model
from speechmlx.protocols import ws
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.openai_realtime import session_config
from speechmlx.protocols.openai_realtime.client_secrets import Secrets
from speechmlx.protocols.openai_realtime.schema import Dialect, Json, Refused, fields, number, of, one_of
from speechmlx.protocols.openai_realtime.wire import RealtimeWire
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

LIFETIME = 3600
"""Seconds until a session says it expires; nothing here ends it."""
SECRET_SECONDS = (10, 7200)
SECRET_LIFETIME = 600
SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
BETA_HEADER = "realtime=v1"
POLICY_VIOLATION = 1008


async def refuse(socket: WebSocket, wire: RealtimeWire, full: Busy) -> None:
    """There is no room for one more."""
    for message in wire.send(say.Failed(full, "sessions")):
        await socket.send_text(message)
    await socket.close(POLICY_VIOLATION, "session_limit_reached")


async def converse(socket: WebSocket, wire: RealtimeWire, services: Services) -> None:
    """Until the client leaves."""
    await ws.send(socket, wire.greeting())
    runtime, config = services.runtime, services.config
    wire.speaker = _speaker(runtime)
    session = ConversationSession(
        runtime, wire.settings, remote_language_model(config), lambda stages: runtime.metrics.response(asdict(stages))
    )
    await ws.pump(socket, wire, session, runtime.drained, config.audio_timeout)


def _speaker(runtime: Runtime) -> Model | None:
    """The synthesiser; None where there is none, or where a speech-to-speech model may answer in voices of its own."""
    if has_default(runtime, Kind.S2S) or not has_default(runtime, Kind.TTS):
        return None
    return runtime.model(None, Kind.TTS)


def subprotocol(offered: list[str]) -> str | None:
    """One of those that were offered: a browser leaves when none is chosen. A key only where nothing else was."""
    ours = [one for one in (SUBPROTOCOL, BETA_SUBPROTOCOL) if one in offered]
    others = [one for one in offered if not one.startswith(KEY_SUBPROTOCOL)]
    return next(iter([*ours, *others, *offered]), None)


def wire(socket: WebSocket, offered: list[str], secrets: Secrets) -> RealtimeWire:
    """The language that the handshake asks for, and the session that its secret was made for."""
    beta = BETA_HEADER in socket.headers.get("openai-beta", "") or BETA_SUBPROTOCOL in offered
    dialect: Dialect = "beta" if beta else "ga"
    model = socket.query_params.get("model", "")
    transcribes = socket.query_params.get("intent") == "transcription" or bool(
        session_config.TRANSCRIBERS.fullmatch(model)
    )
    keys = [one.removeprefix(KEY_SUBPROTOCOL) for one in offered if one.startswith(KEY_SUBPROTOCOL)]
    keys.append(socket.headers.get("authorization", "").removeprefix("Bearer ").strip())
    sessions = [session for key in keys if (session := secrets.session(key)) is not None]
    expires_at = int(time.time()) + LIFETIME
    return RealtimeWire(
        dialect, model, transcribes, expires_at, _opened(sessions[0], model, expires_at) if sessions else None
    )


def _opened(made: Json, model: str, expires_at: int) -> Json:
    """A session of its own from one that a secret was made for; it may have left the model to the address."""
    session = {**made, "id": new_id("sess"), "expires_at": expires_at}
    if model and session.get("model") == session_config.ANY_MODEL:
        session["model"] = model
    return session


# --- HTTP --------------------------------------------------------------------------------------------------------


async def client_secret(body: Body, secrets: Secrets) -> Response:
    """GA's: {value, expires_at, session}."""
    try:
        asked = _object(body)
        given = of(dict)(asked.get("session") or {}, "session")
        kind = one_of("realtime", "transcription")(given.get("type") or "realtime", "session.type")
        session = _session(given, kind == "transcription")
        seconds = _lifetime(asked, "")
    except Refused as error:
        return _problem(error)
    return JSONResponse({**secrets.make(session, seconds), "session": session})


async def beta_session(body: Body, transcribes: bool, secrets: Secrets) -> Response:
    """A session with its client_secret inside."""
    try:
        given = _object(body)
        session = _session(given, transcribes)
        seconds = _lifetime(of(dict)(given.get("client_secret") or {}, "client_secret"), "client_secret.")
    except Refused as error:
        return _problem(error)
    return JSONResponse({**session_config.to_flat(session), "client_secret": secrets.make(session, seconds)})


def _session(given: Json, transcribes: bool) -> Json:
    model = given.get("model")
    model = "" if model is None else of(str)(model, "session.model")
    session = session_config.fresh_session(new_id("sess"), model, int(time.time()) + LIFETIME, transcribes)
    return session_config.merged_flat(session, given)


def _lifetime(given: Json, prefix: str) -> int:
    """Seconds that a secret is good for."""
    seconds = fields({"seconds": number(*SECRET_SECONDS, whole=True)})
    after: Json = seconds(given.get("expires_after") or {}, f"{prefix}expires_after")
    return int(after.get("seconds", SECRET_LIFETIME))


def _object(body: Body) -> Json:
    """JSON whatever its type says; nothing at all is an empty object."""
    try:
        given: Any = json.loads(body.upload.read()) if body.upload is not None else {}
    except (ValueError, RecursionError) as error:
        raise Refused(f"The body is not JSON: {error}.", "invalid_json") from None
    found: Json = of(dict)(given, "body")
    return found


def _problem(error: Refused) -> Response:
    body = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return JSONResponse({"error": body, "detail": str(error)}, 400)
