"""WebSockets of Deepgram's API: the options of a handshake, its refusal, and the session behind it.

This module is imported at the first such handshake, so that the server starts faster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket, WebSocketState

from speechmlx import languages
from speechmlx.conversation.channels import ChannelSessions
from speechmlx.conversation.engines import has_default
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.errors import BadRequest, SpeechError, UnknownModel
from speechmlx.log import note_error
from speechmlx.models.spec import Model
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.deepgram.control import closing
from speechmlx.protocols.deepgram.flux import FluxWire, flux_settings
from speechmlx.protocols.deepgram.flux_options import flux_options
from speechmlx.protocols.deepgram.listen_options import ListenOptions, listen_options
from speechmlx.protocols.deepgram.live import ListenWire, live_settings
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.http.deepgram_errors import problem
from speechmlx.protocols.http.model_names import ModelNames
from speechmlx.protocols.http.request_id import request_id
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.live_meter import LiveMeter
from speechmlx.protocols.live_socket import input_start, link_for
from speechmlx.protocols.session_keeper import Handover
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Kind

WIRE = "deepgram"
"""Name in /metrics."""
FLUX = "deepgram_flux"
SUBPROTOCOLS = ("token", "bearer")
"""Subprotocols that stand before a browser's key. They alone are accepted."""

Opened = tuple["ListenWire | FluxWire", int]
"""A wire, and how many channels are transcribed one by one."""


@dataclass(frozen=True)
class Handshake:
    """What a session begins with: its id and the parameters of the client."""

    id: str
    query: QueryParams
    names: ModelNames
    runtime: Runtime


Open = Callable[[Handshake], Opened]


async def listen(socket: WebSocket, services: Services) -> None:
    """Live transcription on a WebSocket at /v1/listen."""
    await _serve(socket, services, WIRE, open_listen)


async def flux(socket: WebSocket, services: Services) -> None:
    """Live transcription in turns on a WebSocket at /v2/listen."""
    await _serve(socket, services, FLUX, open_flux)


async def _serve(socket: WebSocket, services: Services, name: str, opened: Open) -> None:
    """Answer the handshake: with an error of HTTP, or with a session until it is over or its connection has broken."""
    if live_sessions.asks(socket):
        await go_on(socket, services, partial(_revive, socket, services, name, opened))
        return
    id = request_id(socket.scope)
    async with AsyncExitStack() as places:
        try:
            wire, count = opened(Handshake(id, socket.query_params, services.names, services.runtime))
            await _take_places(places, services, name, count)
        except SpeechError as error:
            note_error(error.code)
            await socket.send_denial_response(problem(error))
            return
        await accept(socket, id)
        await _transcribe(socket, id, services, name, wire, count, places)


async def _revive(socket: WebSocket, services: Services, name: str, opened: Open, handover: Handover) -> None:
    """Go on where another server was. Raises SpeechErrors."""
    point, id = handover.point, socket.query_params[live_sessions.ID]
    wire, count = opened(Handshake(id, QueryParams(point.query), services.names, services.runtime))
    wire.restore(point.state, point.at, handover.sent)
    async with AsyncExitStack() as places:
        await _take_places(places, services, name, count)
        await _transcribe(socket, id, services, name, wire, count, places, handover)


async def _take_places(places: AsyncExitStack, services: Services, name: str, count: int) -> None:
    for _ in range(count):
        await places.enter_async_context(services.sessions.session(name))


async def _transcribe(
    socket: WebSocket,
    id: str,
    services: Services,
    name: str,
    wire: ListenWire | FluxWire,
    count: int,
    places: AsyncExitStack,
    handover: Handover | None = None,
) -> None:
    """Run the session `id` until it is over or its connection has broken."""
    runtime, config, settings = services.runtime, services.config, wire.settings
    link = link_for(wire, services, handover=handover)
    keeper = services.live.keeper(socket, id, link, wire, settings.input, handover) if count == 1 else None

    async def transcribe(link: LiveLink) -> None:
        start = input_start(handover)
        session: ws.LiveSession = TranscriptionSession(runtime, settings, start=start)
        if count > 1:
            session = ChannelSessions(runtime, settings, count)
        meter = LiveMeter(name, runtime.metrics, charge=services.usage.audio, start=start.at)
        await ws.pump(link, wire, session, runtime.drained, config.audio_timeout, meter, keeper)

    await services.live.begin(socket, id, link, transcribe, places, handover)


async def accept(socket: WebSocket, id: str) -> None:
    """Accept a handshake. `id`: of the session and of the request that began it."""
    headers = [(b"dg-request-id", id.encode()), live_sessions.header(id)]
    await socket.accept(subprotocol(socket.scope.get("subprotocols") or []), headers)


async def go_on(
    socket: WebSocket, services: Services, revive: Callable[[Handover], Awaitable[None]] | None = None
) -> None:
    """Go on with the session that the handshake names, or refuse it. `revive`: see LiveSessions.resume."""

    async def refuse(error: SpeechError) -> None:
        if socket.application_state is WebSocketState.CONNECTING:
            await socket.send_denial_response(problem(error))
        else:
            await ws.send(socket, [closing(1008, str(error))])

    accepting = partial(accept, socket, socket.query_params[live_sessions.ID])
    await services.live.resume(socket, refuse, accepting, revive=revive)


def subprotocol(offered: list[str]) -> str | None:
    """The subprotocol that is accepted, as the client wrote it; never a key."""
    return next((name for name in offered if name.lower() in SUBPROTOCOLS), None)


def recogniser(names: ModelNames, name: str | None, live: bool = False) -> tuple[Model, str | None]:
    """The model that a client's name means, else the default one, and the language that it was launched with.

    `live`: the default is that of live recognition. Raises LicenceNotAccepted for a name, and UnknownModel where there
    is no default.
    """
    try:
        return names.usable(name, Kind.ASR, live)
    except UnknownModel:
        return names.resolve(None, Kind.ASR, live)


def language_of(
    model: Model, asked: str | None, named: bool, launched: str | None = None, spoken: Sequence[str] = ()
) -> str | None:
    """The language to recognise; None: the model detects it. `asked`: what the options say, by default English.

    Where the client has not `named` it, what the model was `launched` with counts. Without that too it is English,
    unless the settings say what is `spoken`, and English is not among it.
    Raises Unsupported for a language that the client named and the model does not have.
    """
    if not named:
        asked = launched or (None if spoken and asked not in spoken else asked)
    if asked is None or languages.match(asked, model.languages):
        return asked
    if not named:
        return None
    if languages.heard(asked, model.languages):
        return asked
    raise languages.refusal(asked, model.languages, f"the model {model.name}")


def resolved(names: ModelNames, query: QueryParams, live: bool = False) -> tuple[ListenOptions, Model]:
    """The options of a query with the language to recognise, and the recogniser.

    Raises BadRequest, LicenceNotAccepted, UnknownModel and Unsupported.
    """
    options = listen_options(query)
    model, launched = recogniser(names, options.model, live)
    spoken = names.runtime.config.languages
    language = language_of(model, options.language, options.names_language, launched, spoken)
    return replace(options, language=language), model


def open_listen(handshake: Handshake) -> Opened:
    """The wire of a handshake at /v1/listen. Raises what `resolved` raises."""
    query = handshake.query
    options, model = resolved(handshake.names, query, live=True)
    _check(options, "channels" in query, handshake.runtime)
    request = ListenRequest(id=handshake.id, model=model, extra=options.extra, tag=options.tag)
    wire = ListenWire(options, request, live_settings(options, model.name))
    return wire, wire.count


def _check(options: ListenOptions, names_channels: bool, runtime: Runtime) -> None:
    """Raises BadRequest for what cannot be done live."""
    if options.multichannel and options.format.encoding == "container" and not names_channels:
        raise BadRequest("'multichannel' needs 'channels' for live audio in a container")
    if options.diarize and not has_default(runtime, Kind.DIARIZE):
        raise BadRequest("'diarize' needs a model that tells speakers apart, and this server has none")
    if options.callback is not None:
        raise BadRequest("'callback' is not allowed for live audio: results come over the WebSocket")


def open_flux(handshake: Handshake) -> Opened:
    """The wire of a handshake at /v2/listen. Raises what `resolved` raises."""
    options = flux_options(handshake.query)
    model, launched = recogniser(handshake.names, options.model, live=True)
    spoken = handshake.runtime.config.languages
    language = language_of(model, options.language, options.detects_language, launched, spoken)
    options = replace(options, language=language)
    request = ListenRequest(id=handshake.id, model=model, tag=options.tag)
    return FluxWire(options, request, flux_settings(options, model.name)), 1
