"""Handling of one WebSocket at /v1/realtime, and the HTTP requests that make sessions.

This module is imported at the first such request, so that the server starts faster.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from speechmlx.conversation import events
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.conversation_start import NEW
from speechmlx.conversation.duplex_session import DuplexSession
from speechmlx.conversation.engines import has_default
from speechmlx.conversation.input.buffer import InputStart
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.errors import BadRequest, Busy, SpeechError, UnknownModel, UnknownSession
from speechmlx.models.spec import Model
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.model_names import ModelNames
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink, Place
from speechmlx.protocols.live_meter import LiveMeter
from speechmlx.protocols.live_socket import input_start, link_for
from speechmlx.protocols.openai_realtime import session_config
from speechmlx.protocols.openai_realtime.client_secrets import Secrets
from speechmlx.protocols.openai_realtime.kept_conversation import KeptConversation
from speechmlx.protocols.openai_realtime.schema import Dialect, Json, Refused, number, object_of, of, one_of
from speechmlx.protocols.openai_realtime.wire import RealtimeWire, event_id
from speechmlx.protocols.session_keeper import Handover
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

LIFETIME = 3600
"""Seconds from the start of a session to its `expires_at`. The server does not end the session then."""
SECRET_SECONDS = (10, 7200)
"""Shortest and longest lifetime of a client secret, in seconds."""
SECRET_LIFETIME = 600
"""Lifetime of a client secret where the client names none, in seconds."""
SUBPROTOCOL = "realtime"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
BETA_HEADER = "realtime=v1"
POLICY_VIOLATION = 1008


async def refuse(socket: WebSocket, wire: RealtimeWire, error: Busy) -> None:
    """Send the error of a full server and close the socket."""
    failed = events.Failed(error, "sessions")
    await ws.send(socket, [*wire.send(failed), ws.Close(POLICY_VIOLATION, "session_limit_reached")])


async def refuse_unknown(socket: WebSocket, wire: RealtimeWire, error: SpeechError) -> None:
    """Send the error of a session that does not go on and close the socket."""
    code = "session_not_found" if isinstance(error, UnknownSession) else error.code
    param = "session_id" if isinstance(error, UnknownSession) else live_sessions.RECEIVED
    failed = events.Failed(error, code, param)
    await ws.send(socket, [*wire.send(failed), ws.Close(POLICY_VIOLATION, code)])


def place_in(socket: WebSocket) -> Place | None:
    """Where a client is that names the last event that it has; None: it names none."""
    last = socket.query_params.get("last_event_id")
    if last is None:
        return None
    return lambda link: link.number_of(lambda message: event_id(message) == last)


async def converse(
    socket: WebSocket,
    wire: RealtimeWire,
    services: Services,
    places: AsyncExitStack,
    handover: Handover | None = None,
) -> None:
    """Run a conversation on `socket` until it is over or the connection has broken. Takes over `places`."""
    runtime, config = services.runtime, services.config
    duplex = _duplex(runtime, wire)
    wire.speaker = duplex or _speaker(runtime)
    id, link = wire.session["id"], link_for(wire, services, handover=handover)
    keeper = None if duplex else services.live.keeper(socket, id, link, wire, wire.settings.input, handover)
    begun = NEW
    if handover is not None and wire.kept is not None:
        begun = wire.kept.start(wire.settings.answering, handover.point.items)
    elif keeper is not None and not wire.transcribes:
        wire.kept = KeptConversation()

    def answered(start: InputStart) -> ConversationSession:
        def note(stages: events.Stages) -> None:
            runtime.metrics.response(asdict(stages))

        write = remote_language_model(config)
        return ConversationSession(runtime, wire.settings, write, note, start=start, begun=begun)

    async def talk(link: LiveLink) -> None:
        if handover is None:
            await ws.send(link, wire.greeting())
        start = input_start(handover)
        session = DuplexSession(runtime, wire.settings, duplex) if duplex else answered(start)
        if wire.kept is not None:
            wire.kept.look = lambda: session.items
        meter = LiveMeter("openai_realtime", runtime.metrics, charge=services.usage.audio, start=start.at)
        await ws.pump(link, wire, session, runtime.drained, config.audio_timeout, meter, keeper)

    await services.live.begin(socket, id, link, talk, places, handover)


async def revive(socket: WebSocket, wire: RealtimeWire, services: Services, handover: Handover) -> None:
    """Go on where another server was. `wire`: of the new handshake. Raises Busy."""
    wire.restore(handover.point.state, handover.point.at, handover.sent)
    async with AsyncExitStack() as places:
        await places.enter_async_context(services.sessions.session())
        await converse(socket, wire, services, places, handover)


def check_models(names: ModelNames, wire: RealtimeWire) -> None:
    """Raises LicenceNotAccepted for a model that the URL or the client secret names."""
    settings = wire.settings
    names.check(settings.model, Kind.S2S, Kind.LLM)
    if settings.transcription is not None:
        names.check(settings.transcription.model, Kind.ASR)


def _duplex(runtime: Runtime, wire: RealtimeWire) -> Model | None:
    """The model of the conversation where its client named one that hears and speaks at once."""
    try:
        model = None if wire.transcribes else runtime.model(wire.session["model"], Kind.S2S)
    except UnknownModel:
        return None
    return model if model is not None and model.duplex else None


def _speaker(runtime: Runtime) -> Model | None:
    """The text-to-speech model; None if there is none, or if a speech-to-speech model may use other voices."""
    if has_default(runtime, Kind.S2S) or not has_default(runtime, Kind.TTS):
        return None
    return runtime.model(None, Kind.TTS)


def subprotocol(offered: list[str]) -> str | None:
    """Choose one of the offered subprotocols; None if there are none.

    A browser closes the socket if none is chosen. A subprotocol with an API key is chosen only as the last resort.
    """
    known = [name for name in (SUBPROTOCOL, BETA_SUBPROTOCOL) if name in offered]
    others = [name for name in offered if not name.startswith(KEY_SUBPROTOCOL)]
    return next(iter([*known, *others, *offered]), None)


def build_wire(socket: WebSocket, offered: list[str], secrets: Secrets) -> RealtimeWire:
    """The wire in the dialect of the handshake, with the session of its client secret if it has a valid one."""
    beta = BETA_HEADER in socket.headers.get("openai-beta", "") or BETA_SUBPROTOCOL in offered
    dialect: Dialect = "beta" if beta else "ga"
    model = socket.query_params.get("model", "")
    transcribes = socket.query_params.get("intent") == "transcription" or bool(
        session_config.TRANSCRIPTION_MODELS.fullmatch(model)
    )
    keys = [name.removeprefix(KEY_SUBPROTOCOL) for name in offered if name.startswith(KEY_SUBPROTOCOL)]
    keys.append(socket.headers.get("authorization", "").removeprefix("Bearer ").strip())
    sessions = [session for key in keys if (session := secrets.session(key)) is not None]
    expires_at = int(time.time()) + LIFETIME
    return RealtimeWire(
        dialect, model, transcribes, expires_at, _copy_session(sessions[0], model, expires_at) if sessions else None
    )


def _copy_session(template: Json, model: str, expires_at: int) -> Json:
    """A new session with the settings of `template`. `model` from the URL applies if `template` names no model."""
    session = {**template, "id": new_id("sess"), "expires_at": expires_at}
    if model and session.get("model") == session_config.ANY_MODEL:
        session["model"] = model
    return session


# --- HTTP --------------------------------------------------------------------------------------------------------


async def client_secret(body: Body, secrets: Secrets) -> Response:
    """Make a session and a client secret, GA dialect. The response has `value`, `expires_at` and `session`."""
    try:
        request = _read_object(body)
        update = of(dict)(request.get("session") or {}, "session")
        kind = one_of("realtime", "transcription")(update.get("type") or "realtime", "session.type")
        session = _new_session(update, kind == "transcription")
        seconds = _secret_lifetime(request, "")
    except Refused as error:
        return _problem(error)
    return JSONResponse({**secrets.make(session, seconds), "session": session})


async def beta_session(body: Body, transcribes: bool, secrets: Secrets) -> Response:
    """Make a session, beta dialect. The response is the flat session with its `client_secret`."""
    try:
        update = _read_object(body)
        session = _new_session(update, transcribes)
        seconds = _secret_lifetime(of(dict)(update.get("client_secret") or {}, "client_secret"), "client_secret.")
    except Refused as error:
        return _problem(error)
    return JSONResponse({**session_config.to_flat(session), "client_secret": secrets.make(session, seconds)})


def _new_session(update: Json, transcribes: bool) -> Json:
    """A session with the defaults, changed by `update` in either shape. Raises Refused."""
    model = update.get("model")
    model = "" if model is None else of(str)(model, "session.model")
    session = session_config.fresh_session(new_id("sess"), model, int(time.time()) + LIFETIME, transcribes)
    return session_config.merged_flat(session, update)


def _secret_lifetime(request: Json, prefix: str) -> int:
    """Lifetime of a client secret in seconds, from the `expires_after` of `request`. Raises Refused."""
    check = object_of({"seconds": number(*SECRET_SECONDS, whole=True)})
    expires_after: Json = check(request.get("expires_after") or {}, f"{prefix}expires_after")
    return int(expires_after.get("seconds", SECRET_LIFETIME))


def _read_object(body: Body) -> Json:
    """The JSON object in a body of any content type; {} if there is no body. Raises Refused."""
    try:
        value: Any = read_json(body.upload.read()) if body.upload is not None else {}
    except (ValueError, RecursionError, BadRequest) as error:
        raise Refused(f"The body is not JSON: {error}.", "invalid_json") from None
    request: Json = of(dict)(value, "body")
    return request


def _problem(error: Refused) -> Response:
    """Status 400 with OpenAI's error object."""
    body = {"message": str(error), "type": "invalid_request_error", "param": error.param, "code": error.code}
    return JSONResponse({"error": body, "detail": str(error)}, 400)
