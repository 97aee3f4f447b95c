"""Live transcription on a WebSocket that was accepted: a place for the session, then the pump, for every live wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from starlette.websockets import WebSocket

from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.errors import SpeechError
from speechmlx.protocols import ws
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_meter import LiveMeter

Refuse = Callable[[SpeechError], Awaitable[None]]


async def transcribe_live(
    socket: WebSocket, wire: ws.Wire, settings: Settings, services: Services, name: str, refuse: Refuse
) -> None:
    """Run a transcription session on `socket` until it is over. `name` is the wire's, for /metrics.

    `refuse` tells the client that the server is full, and closes the socket.
    """
    runtime, config = services.runtime, services.config
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(services.sessions.session(name))
        except SpeechError as error:
            await refuse(error)
            return
        session = TranscriptionSession(runtime, settings, write=remote_language_model(config))
        meter = LiveMeter(name, runtime.metrics, charge=services.usage.audio)
        await ws.pump(socket, wire, session, runtime.drained, config.audio_timeout, meter)
