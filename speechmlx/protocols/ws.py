"""The pump between a WebSocket and a session: two tasks, one cancel. Any wire that speaks in messages uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from speechmlx.conversation.commands import Append, Command, Lapse
from speechmlx.conversation.events import Event
from speechmlx.conversation.input.pipeline import AT_ONCE
from speechmlx.conversation.session import TranscriptionSession


class Wire(Protocol):
    """One connection's language. Nothing here waits and nothing here raises."""

    def receive(self, message: str | bytes) -> Sequence[Command]: ...

    def send(self, event: Event) -> Sequence[str | bytes]: ...


SERVICE_RESTART = 1012
LAST_WORDS = 0.2
"""Seconds in which the ends of what ran still reach the client."""


async def pump(
    socket: WebSocket, wire: Wire, session: TranscriptionSession, drained: asyncio.Event, audio_timeout: float = 0.0
) -> None:
    """Carry messages both ways until the client leaves, the session has said all or the server is `drained`.

    The session is told when audio has been missing for `audio_timeout` seconds of the clock, unless that is 0.
    The session is over then. The socket, accepted already, is closed where the server is what ended it.
    """
    async with session:
        tasks = [
            asyncio.create_task(_read(socket, wire, session, audio_timeout)),
            asyncio.create_task(_write(socket, wire, session)),
            asyncio.create_task(_leave(socket, drained)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
            raise end


async def _leave(socket: WebSocket, drained: asyncio.Event) -> None:
    await drained.wait()
    await asyncio.sleep(LAST_WORDS)
    if socket.application_state is WebSocketState.CONNECTED:
        await socket.close(SERVICE_RESTART, "the server is shutting down")


async def _read(socket: WebSocket, wire: Wire, session: TranscriptionSession, audio_timeout: float) -> None:
    clock, missed = asyncio.get_running_loop(), None
    while True:
        try:
            async with asyncio.timeout_at(missed):
                message = await socket.receive()
        except TimeoutError:
            missed = None
            await session.send(Lapse())
            continue
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        for command in wire.receive(message["bytes"] if text is None else text):
            await session.send(command)
            if isinstance(command, Append) and audio_timeout:
                missed = clock.time() + _lasting(command, session) + audio_timeout


def _lasting(command: Append, session: TranscriptionSession) -> float:
    """Seconds until a microphone sends what comes next; nobody waits so for the end of a recording."""
    seconds = session.settings.input.seconds(len(command.audio))
    return seconds if seconds <= AT_ONCE else 0.0


async def _write(socket: WebSocket, wire: Wire, session: TranscriptionSession) -> None:
    async for event in session.events():
        await send(socket, wire.send(event))


async def send(socket: WebSocket, messages: Sequence[str | bytes]) -> None:
    """Send them; a client that left is no error here, the reading side ends."""
    for message in messages:
        if socket.application_state is not WebSocketState.CONNECTED:
            return
        with contextlib.suppress(WebSocketDisconnect):
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)
