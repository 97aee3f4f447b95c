"""WebSockets of Deepgram's API: the options of a handshake, its refusal, and the session behind it.

This module is imported at the first such handshake, so that the server starts faster.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from starlette.websockets import WebSocket, WebSocketState

from speechmlx import languages
from speechmlx.conversation.channels import ChannelSessions
from speechmlx.conversation.engines import has_default
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.errors import BadRequest, SpeechError, UnknownModel
from speechmlx.log import note_error
from speechmlx.models.spec import Model
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.deepgram.control import closing
from speechmlx.protocols.deepgram.flux import FluxWire, flux_settings
from speechmlx.protocols.deepgram.flux_options import flux_options
from speechmlx.protocols.deepgram.listen_options import DEFAULT_LANGUAGE, ListenOptions, listen_options
from speechmlx.protocols.deepgram.live import ListenWire, live_settings
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.http.deepgram_errors import problem
from speechmlx.protocols.http.request_id import request_id
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.live_meter import LiveMeter
from speechmlx.types import Kind

WIRE = "deepgram"
"""Name in /metrics."""
FLUX = "deepgram_flux"
SUBPROTOCOLS = ("token", "bearer")
"""Subprotocols that stand before a browser's key. They alone are accepted."""

Opened = tuple[ws.Wire, Settings, int]
"""A wire, the settings of its session, and how many channels are transcribed one by one."""


async def listen(socket: WebSocket, services: Services) -> None:
    """Live transcription on a WebSocket at /v1/listen."""
    await _serve(socket, services, WIRE, _listen)


async def flux(socket: WebSocket, services: Services) -> None:
    """Live transcription in turns on a WebSocket at /v2/listen."""
    await _serve(socket, services, FLUX, _flux)


async def _serve(
    socket: WebSocket, services: Services, name: str, opened: Callable[[WebSocket, Services], Opened]
) -> None:
    """Answer the handshake: with an error of HTTP, or with a session until it is over or its connection has broken."""
    if live_sessions.asks(socket):
        await go_on(socket, services)
        return
    runtime, config = services.runtime, services.config
    async with AsyncExitStack() as places:
        try:
            wire, settings, count = opened(socket, services)
            for _ in range(count):
                await places.enter_async_context(services.sessions.session(name))
        except SpeechError as error:
            note_error(error.code)
            await socket.send_denial_response(problem(error))
            return
        await accept(socket, request_id(socket.scope))

        async def transcribe(link: LiveLink) -> None:
            session: ws.LiveSession = TranscriptionSession(runtime, settings)
            if count > 1:
                session = ChannelSessions(runtime, settings, count)
            meter = LiveMeter(name, runtime.metrics, charge=services.usage.audio)
            await ws.pump(link, wire, session, runtime.drained, config.audio_timeout, meter)

        link = LiveLink(wire.resume, services.live.window)
        await services.live.begin(socket, request_id(socket.scope), link, transcribe, places)


async def accept(socket: WebSocket, id: str) -> None:
    """Accept a handshake. `id`: of the session and of the request that began it."""
    headers = [(b"dg-request-id", id.encode()), live_sessions.header(id)]
    await socket.accept(subprotocol(socket.scope.get("subprotocols") or []), headers)


async def go_on(socket: WebSocket, services: Services) -> None:
    """Go on with the session that the handshake names, or refuse it."""

    async def refuse(error: SpeechError) -> None:
        if socket.application_state is WebSocketState.CONNECTING:
            await socket.send_denial_response(problem(error))
        else:
            await ws.send(socket, [closing(1008, str(error))])

    accepting = partial(accept, socket, socket.query_params[live_sessions.ID])
    await services.live.resume(socket, refuse, accepting)


def subprotocol(offered: list[str]) -> str | None:
    """The subprotocol that is accepted, as the client wrote it; never a key."""
    return next((name for name in offered if name.lower() in SUBPROTOCOLS), None)


def recogniser(services: Services, name: str | None, live: bool = False) -> tuple[Model, str | None]:
    """The model that a client's name means, else the default one, and the language that it was launched with.

    `live`: the default is that of live recognition. Raises UnknownModel where there is no default.
    """
    try:
        return services.names.resolve(name, Kind.ASR, live)
    except UnknownModel:
        return services.names.resolve(None, Kind.ASR, live)


def language_of(model: Model, asked: str | None, default: bool) -> str | None:
    """The language to recognise; None: the model detects it. `default`: the client named none.

    Raises Unsupported for a language that the model does not have.
    """
    if asked is None or languages.match(asked, model.languages):
        return asked
    if default:
        return None
    raise languages.refusal(asked, model.languages, f"the model {model.name}")


def _listen(socket: WebSocket, services: Services) -> Opened:
    query = socket.query_params
    options = listen_options(query)
    model, launched = recogniser(services, options.model, live=True)
    named = "language" in query
    asked = options.language if named or launched is None else launched
    options = replace(options, language=language_of(model, asked, not named))
    _check(options, "channels" in query, services)
    request = ListenRequest(id=request_id(socket.scope), model=model, extra=options.extra, tag=options.tag)
    settings = live_settings(options, model.name)
    wire = ListenWire(options, request, settings)
    return wire, settings, wire.count


def _check(options: ListenOptions, names_channels: bool, services: Services) -> None:
    """Raises BadRequest for what cannot be done live."""
    if options.multichannel and options.format.encoding == "container" and not names_channels:
        raise BadRequest("'multichannel' needs 'channels' for live audio in a container")
    if options.diarize and not has_default(services.runtime, Kind.DIARIZE):
        raise BadRequest("'diarize' needs a model that tells speakers apart, and this server has none")
    if options.callback is not None:
        raise BadRequest("'callback' is not allowed for live audio: results come over the WebSocket")


def _flux(socket: WebSocket, services: Services) -> Opened:
    options = flux_options(socket.query_params)
    model, _ = recogniser(services, options.model, live=True)
    default = options.language == DEFAULT_LANGUAGE
    options = replace(options, language=language_of(model, options.language, default))
    request = ListenRequest(id=request_id(socket.scope), model=model, tag=options.tag)
    settings = flux_settings(options, model.name)
    return FluxWire(options, request, settings), settings, 1
