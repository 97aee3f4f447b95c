"""Live transcription on a WebSocket that was accepted: a place for the session, then the pump, for every live wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.websockets import WebSocket

from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.errors import SpeechError
from speechmlx.protocols import ws
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.live_meter import LiveMeter

Refuse = Callable[[SpeechError], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class LiveConnection:
    """The first connection of a session. `name` is the wire's, for /metrics.

    `received`: messages that the client has sent already. `greeting`: what it gets first. `on_end` is called when the
    session is over.
    """

    socket: WebSocket
    id: str
    name: str
    received: int = 0
    greeting: ws.Answer | None = None
    on_end: Callable[[], None] = lambda: None


async def transcribe_live(
    connection: LiveConnection, wire: ws.Wire, settings: Settings, services: Services, refuse: Refuse
) -> None:
    """Run a transcription session until it is over or its connection has broken.

    `refuse` tells the client that the server is full, and closes the socket.
    """
    runtime, config, name = services.runtime, services.config, connection.name

    async def transcribe(link: LiveLink) -> None:
        if connection.greeting is not None:
            await ws.send(link, [connection.greeting])
        session = TranscriptionSession(runtime, settings, write=remote_language_model(config))
        meter = LiveMeter(name, runtime.metrics, charge=services.usage.audio)
        await ws.pump(link, wire, session, runtime.drained, config.audio_timeout, meter)

    async with AsyncExitStack() as places:
        places.callback(connection.on_end)
        try:
            await places.enter_async_context(services.sessions.session(name))
        except SpeechError as error:
            await refuse(error)
            return
        link = LiveLink(wire.resume, services.live.window, connection.received)
        await services.live.begin(connection.socket, connection.id, link, transcribe, places)
