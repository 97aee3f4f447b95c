"""Live transcription on a WebSocket that was accepted: a place for the session, then the pump, for every live wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket

from speechmlx.conversation.input.buffer import BEGINNING, InputStart
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.errors import SpeechError
from speechmlx.protocols import ws
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.live_meter import LiveMeter
from speechmlx.protocols.session_keeper import Handover, KeptWire, SessionKeeper

Refuse = Callable[[SpeechError], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class LiveConnection:
    """The first connection of a session. `name` is the wire's, for /metrics.

    `received`: messages that the client has sent already. `greeting`: what it gets first. `on_end` is called when the
    session is over. `handover`: another server has begun the session, which goes on here; the wire's state is set.
    `opening`: what a server needs for that besides the query. None: no other server goes on with it.
    """

    socket: WebSocket
    id: str
    name: str
    received: int = 0
    greeting: ws.Answer | None = None
    on_end: Callable[[], None] = lambda: None
    handover: Handover | None = None
    opening: Mapping[str, Any] | None = None


async def transcribe_live(
    connection: LiveConnection, wire: KeptWire, settings: Settings, services: Services, refuse: Refuse
) -> None:
    """Run a transcription session until it is over or its connection has broken.

    `refuse` tells the client that the server is full, and closes the socket.
    """
    runtime, config, name = services.runtime, services.config, connection.name
    handover, keeper = connection.handover, list[SessionKeeper | None]()

    async def transcribe(link: LiveLink) -> None:
        if connection.greeting is not None and handover is None:
            await ws.send(link, [connection.greeting])
        start = input_start(handover)
        session = TranscriptionSession(runtime, settings, write=remote_language_model(config), start=start)
        meter = LiveMeter(name, runtime.metrics, charge=services.usage.audio, start=start.at)
        await ws.pump(link, wire, session, runtime.drained, config.audio_timeout, meter, *keeper)

    async with AsyncExitStack() as places:
        places.callback(connection.on_end)
        try:
            await places.enter_async_context(services.sessions.session(name))
        except SpeechError as error:
            await refuse(error)
            return
        link = link_for(wire, services, connection.received, handover)
        if connection.opening is not None or handover is not None:
            socket, opening = connection.socket, connection.opening
            keeper.append(services.live.keeper(socket, connection.id, link, wire, settings.input, handover, opening))
        await services.live.begin(connection.socket, connection.id, link, transcribe, places, handover)


def link_for(wire: ws.Wire, services: Services, received: int = 0, handover: Handover | None = None) -> LiveLink:
    """The client's side of a session of `wire`. `received`: messages that the client has sent already."""
    if handover is None:
        return LiveLink(wire.resume, services.live.window, received)
    handover.link.greet = wire.resume
    return handover.link


def input_start(handover: Handover | None) -> InputStart:
    """Where the audio of a session begins."""
    return BEGINNING if handover is None else InputStart(handover.point.at, handover.point.items)
