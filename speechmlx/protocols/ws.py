"""The pump between a socket and a session, for every wire that speaks in messages."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

from starlette.websockets import WebSocketDisconnect, WebSocketState

from speechmlx.conversation.commands import Append, Command, Lapse
from speechmlx.conversation.events import Event, Failed, OnChannel, Settled
from speechmlx.conversation.input.pipeline import AT_ONCE
from speechmlx.conversation.settings import Settings
from speechmlx.errors import RateLimited
from speechmlx.protocols.http.rate import Allowance
from speechmlx.protocols.live_meter import LiveMeter, note_event

POLICY_VIOLATION, TOO_BIG, SERVICE_RESTART = 1008, 1009, 1012
LAST_WORDS = 0.15
"""Seconds in which the ends of what ran still reach the client when the server stops. Requests are answered later."""
TICK = 1.0
"""Seconds between two calls of `Wire.tick`."""
HOLD = 0.5
"""Seconds from which on a client counts as held."""

MAX_MESSAGE = 32 * 1024 * 1024
"""Longest message of a live client, in bytes or characters. A wire may allow less."""
REFUSALS, REFUSALS_AT_ONCE = 200.0, 5000.0
"""Messages a second, and at once, that may be refused. A client that goes on is closed."""
COUNTED = 1024
"""Length of a message from which on its command carries it, in bytes or characters."""


@dataclass(frozen=True)
class Close:
    """Close the socket with a code of RFC 6455 and a reason; nothing is sent after it."""

    code: int = 1000
    reason: str = ""


Answer = str | bytes | Close
"""A text message, a binary message, or the end."""


@dataclass(frozen=True)
class ResumePoint:
    """Where a session goes on: after so many messages of its client, and of its own.

    Messages are counted over all connections of the session; the first one of a later connection is not counted.
    """

    received: int
    sent: int

    @property
    def fields(self) -> dict[str, int]:
        """As every wire tells it."""
        return {"received": self.received, "sent": self.sent}


class Socket(Protocol):
    """What messages are sent to: a WebSocket, or what stands for one."""

    @property
    def application_state(self) -> WebSocketState:
        """CONNECTED until it is closed."""

    async def send_text(self, data: str) -> None:
        """Send a text message."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary message."""

    async def close(self, code: int, reason: str) -> None:
        """Close it."""


class Link(Socket, Protocol):
    """The client's side of a session: a socket whose connection may break and come back, see live_link.py."""

    async def receive(self) -> MutableMapping[str, Any]:
        """The next message of the client, as ASGI has it; at the end the disconnect."""

    async def connected(self) -> float:
        """Wait for a connection. Returns when it began, in seconds of the loop's clock."""


class Wire(Protocol):
    """One connection's language. Its methods return at once and raise nothing."""

    def receive(self, message: str | bytes) -> Sequence[Command]:
        """The commands in a message of the client."""

    def send(self, event: Event) -> Sequence[Answer]:
        """What the client gets for an event."""

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        """What the client gets because of the time: `now` in seconds of a monotonic clock, every TICK seconds.

        `held`: since the last tick the client was not read, as the session is behind; it may have more to send.
        """

    def end(self) -> Sequence[Answer]:
        """What the client gets after the last event of a session that was sent Finish. Without Close it stays open."""

    def resume(self, point: ResumePoint) -> str:
        """The first message on a connection with which the client has come back."""


class LiveSession(Protocol):
    """A session as the pump uses it: one of audio that is transcribed as one, or of several channels."""

    settings: Settings

    async def __aenter__(self) -> Self:
        """Start."""

    async def __aexit__(self, *error: Any) -> None:
        """Stop."""

    async def send(self, command: Command) -> None:
        """Queue a command."""

    def events(self) -> AsyncIterator[Event]:
        """Every event, in order."""

    def watch_decoded(self, on_decoded: Callable[[float], None]) -> None:
        """Call it with the seconds of audio that come out of a container; it may raise a SpeechError."""


class Keeper(Protocol):
    """Keeps a session so that another server can go on with it, see session_keeper.py."""

    def took(self, commands: Sequence[Command]) -> Sequence[Command]:
        """The commands of the next message of the client → those that the session gets."""

    def settled(self, event: Settled) -> None:
        """The session tells what is done."""

    async def say(self, answers: Sequence[Answer]) -> bool:
        """Send what the wire has just answered, as `send` does."""

    async def run(self) -> None:
        """Work beside the session. Ends where that is over."""

    async def close(self) -> None:
        """The session is over."""


class Unkept:
    """The Keeper of a session that its own server keeps alone."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def took(self, commands: Sequence[Command]) -> Sequence[Command]:
        """All of them."""
        return commands

    def settled(self, event: Settled) -> None:
        """Nothing: it was not asked for."""

    async def say(self, answers: Sequence[Answer]) -> bool:
        """Send them."""
        return await send(self._socket, answers)

    async def run(self) -> None:
        """Never ends."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


class Gate:
    """Whether the client is held: its messages are not read because the session does not take what came before."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._was = False

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """A block in which the session takes a message."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._was = self._was or self._long(time.monotonic())
            self._since = None

    def held(self, now: float) -> bool:
        """Whether the client was held for HOLD seconds or more since the last call."""
        held, self._was = self._was or self._long(now), False
        return held

    def _long(self, now: float) -> bool:
        return self._since is not None and now - self._since >= HOLD


async def pump(
    socket: Link,
    wire: Wire,
    session: LiveSession,
    drained: asyncio.Event,
    audio_timeout: float = 0.0,
    meter: LiveMeter | None = None,
    keeper: Keeper | None = None,
) -> None:
    """Carry messages both ways until the client leaves, the wire closes or the server is `drained`.

    The session gets a Lapse when audio has been missing for `audio_timeout` seconds of the clock, unless that is 0, or
    the connection is broken meanwhile: then the turn goes on when the client is back.
    The session is over then. The socket, accepted already, is closed where the server is what ended it. `meter` sees
    the audio and the events.
    """
    ends = _Ends(socket, wire, session, meter or LiveMeter("", None), keeper or Unkept(socket))
    session.watch_decoded(ends.meter.decoded)
    gate = Gate()
    async with session:
        tasks = [
            asyncio.create_task(_read(ends, audio_timeout, gate)),
            asyncio.create_task(_write(ends)),
            asyncio.create_task(_tick(ends, gate)),
            asyncio.create_task(_leave(socket, drained)),
            asyncio.create_task(ends.keeper.run()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await ends.keeper.close()
    for end in results:
        if isinstance(end, Exception) and not isinstance(end, WebSocketDisconnect):
            raise end


async def _leave(socket: Socket, drained: asyncio.Event) -> None:
    await drained.wait()
    await asyncio.sleep(LAST_WORDS)
    await send(socket, [Close(SERVICE_RESTART, "the server is shutting down")])


@dataclass(frozen=True)
class _Ends:
    """What a pump is between."""

    socket: Link
    wire: Wire
    session: LiveSession
    meter: LiveMeter
    keeper: Keeper


async def _read(ends: _Ends, audio_timeout: float, gate: Gate) -> None:
    socket, wire, session = ends.socket, ends.wire, ends.session
    clock, deadline = asyncio.get_running_loop(), None
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                message = await socket.receive()
        except TimeoutError:
            deadline = await socket.connected() + audio_timeout
            if deadline <= clock.time():
                deadline = None
                await session.send(Lapse())
            continue
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        content = message["bytes"] if text is None else text
        if len(content) > MAX_MESSAGE:
            await send(socket, [Close(TOO_BIG, f"a message is longer than {MAX_MESSAGE >> 20} MiB; send it in pieces")])
            return
        for command in ends.keeper.took(wire.receive(content)):
            with gate.passing():
                await session.send(replace(command, nbytes=len(content)) if len(content) > COUNTED else command)
            if isinstance(command, Append):
                try:
                    ends.meter.audio(session.settings.input.seconds(len(command.audio)))
                except RateLimited as error:
                    await send(socket, _over(wire, Failed(error, error.code)))
                    return
            if isinstance(command, Append) and audio_timeout:
                deadline = clock.time() + _pace(command, session) + audio_timeout


def _pace(command: Append, session: LiveSession) -> float:
    """Seconds until a microphone sends what comes next; nobody waits so for the end of a recording."""
    seconds = session.settings.input.seconds(len(command.audio))
    return seconds if seconds <= AT_ONCE else 0.0


async def _write(ends: _Ends) -> None:
    socket, wire = ends.socket, ends.wire
    refusals = Allowance(REFUSALS, REFUSALS_AT_ONCE)
    async for event in ends.session.events():
        if isinstance(event, Settled):
            ends.keeper.settled(event)
            continue
        ends.meter.event(event)
        note_event(event)
        inner = event.event if isinstance(event, OnChannel) else event
        if isinstance(inner, Failed) and isinstance(inner.error, RateLimited):
            await send(socket, _over(wire, event))
            return
        if isinstance(inner, Failed) and refusals.take(time.monotonic()):
            reason = f"more than {REFUSALS:g} messages a second were refused; the errors say why"
            await send(socket, [Close(POLICY_VIOLATION, reason)])
            return
        if not await ends.keeper.say(wire.send(event)):
            return
        await asyncio.sleep(0)  # a client with many events waiting leaves others their turn
    if await ends.keeper.say(wire.end()):
        await asyncio.Event().wait()  # the client closes


def _over(wire: Wire, event: Event) -> list[Answer]:
    """The end of a session whose client may send no more audio."""
    return [*wire.send(event), Close(POLICY_VIOLATION, RateLimited.code)]


async def _tick(ends: _Ends, gate: Gate) -> None:
    """Time stands still for the wire while the connection is broken."""
    while await ends.keeper.say(ends.wire.tick(now := time.monotonic(), gate.held(now))):
        await asyncio.sleep(TICK)
        await ends.socket.connected()


async def send(socket: Socket, answers: Sequence[Answer]) -> bool:
    """Send them. False: the socket is closed. A client that left is no error here: the reading side ends."""
    for answer in answers:
        if socket.application_state is not WebSocketState.CONNECTED:
            return False
        with contextlib.suppress(WebSocketDisconnect):
            match answer:
                case str():
                    await socket.send_text(answer)
                case bytes():
                    await socket.send_bytes(answer)
                case Close(code, reason):
                    await socket.close(code, reason)
                    return False
    return True
