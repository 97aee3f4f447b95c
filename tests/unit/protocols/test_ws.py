"""The pump of a WebSocket: both ways, the time, and who ends it how."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect, WebSocketState
from support.encoded_audio import TONE, encode
from support.scripted_input import ScriptedInput

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.commands import Append, Clear, Command, Emit, Finish, Lapse
from speechmlx.conversation.events import Cleared, Event, Failed
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import Settings
from speechmlx.errors import BadRequest, RateLimited
from speechmlx.protocols import ws
from speechmlx.protocols.live_meter import LiveMeter
from speechmlx.protocols.ws import Answer, Close, ResumePoint, pump
from speechmlx.runtime.front.metrics import Metrics


class Socket:
    """A client that sends `messages` and then stays, or leaves."""

    def __init__(self, *messages: str | bytes, leaves: bool = False) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.sent: list[Any] = []
        self._messages = list(messages)
        self._leaves = leaves

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0.005)
        if self._messages:
            message = self._messages.pop(0)
            return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
        if self._leaves:
            return {"type": "websocket.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def connected(self) -> float:
        return 0.0

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def close(self, code: int, reason: str) -> None:
        self.application_state = WebSocketState.DISCONNECTED
        self.sent.append((code, reason))


class Wire:
    """ "clear" and "finish" are commands. What was cleared is a text, a binary and `end`. `late` comes by the time."""

    def __init__(self, end: Sequence[Answer] = (), late: Sequence[Answer] = ()) -> None:
        self._end = end
        self._late = late
        self.times: list[float] = []
        self.held: list[bool] = []

    def receive(self, message: str | bytes) -> Sequence[Command]:
        return [Finish() if message == "finish" else Clear()]

    def send(self, event: Event) -> Sequence[Answer]:
        return ["cleared", b"\1", *self._end] if isinstance(event, Cleared) else ()

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        self.times.append(now)
        self.held.append(held)
        return self._late if len(self.times) > 1 else ()

    def end(self) -> Sequence[Answer]:
        return [Close(1000, "done")]

    def resume(self, point: ResumePoint) -> str:
        return f"{point.received}, {point.sent}"


async def pumped(socket: Socket, wire: Wire, drained: asyncio.Event | None = None) -> None:
    session = TranscriptionSession(ScriptedInput(), Settings())
    async with asyncio.timeout(30):
        await pump(socket, wire, session, drained or asyncio.Event())


async def test_texts_and_binaries_until_the_client_leaves() -> None:
    socket = Socket("clear", b"\0", leaves=True)
    await pumped(socket, Wire())
    assert socket.sent[:2] == ["cleared", b"\1"]


async def test_a_wire_closes_with_its_code_and_reason() -> None:
    socket = Socket("clear")
    await pumped(socket, Wire(end=[Close(4000, "over"), "never"]))
    assert socket.sent == ["cleared", b"\1", (4000, "over")]


async def test_a_wire_closes_by_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "TICK", 0.01)
    socket, wire = Socket(), Wire(late=["idle", Close(1011, "no audio")])
    await pumped(socket, wire)
    assert socket.sent == ["idle", (1011, "no audio")]
    assert wire.times == sorted(wire.times)


async def test_the_wire_has_the_last_word_after_the_events() -> None:
    socket = Socket("finish")
    await pumped(socket, Wire())
    assert socket.sent == [(1000, "done")]


async def test_a_socket_that_the_wire_leaves_open_is_closed_by_the_client() -> None:
    socket = Socket("finish", "clear", leaves=True)
    wire = Wire()
    wire.end = lambda: ["over"]  # type: ignore[method-assign]
    await pumped(socket, wire)
    assert socket.sent == ["over"]


async def test_a_server_that_stops_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "LAST_WORDS", 0.01)
    drained = asyncio.Event()
    drained.set()
    socket = Socket()
    await pumped(socket, Wire(), drained)
    assert socket.sent == [(ws.SERVICE_RESTART, "the server is shutting down")]


async def test_a_client_that_left_while_it_was_told_is_no_error() -> None:
    socket = Socket("clear", leaves=True)

    async def left(text: str) -> None:
        raise WebSocketDisconnect(1006)

    socket.send_text = left  # type: ignore[method-assign]
    await pumped(socket, Wire())


async def test_a_client_whose_messages_are_all_refused_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "REFUSALS_AT_ONCE", 3.0)
    monkeypatch.setattr(ws, "REFUSALS", 0.01)  # a slow machine grants none meanwhile
    wire = Wire()
    failed = Failed(BadRequest("no such thing"), "unknown_event")
    wire.receive = lambda message: [Emit(event=failed)] * 3  # type: ignore[method-assign]
    wire.send = lambda event: ["error"]  # type: ignore[method-assign]
    socket = Socket("a", "b")
    await pumped(socket, wire)
    assert socket.sent[:3] == ["error"] * 3
    code, reason = socket.sent[-1]
    assert code == 1008 and "more than 0.01 messages a second were refused" in reason


async def test_a_message_that_is_too_long_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws, "MAX_MESSAGE", 1 << 20)
    socket = Socket(bytes((1 << 20) + 1))
    await pumped(socket, Wire())
    assert socket.sent == [(1009, "a message is longer than 1 MiB; send it in pieces")]


async def test_commands_carry_the_length_of_a_long_message() -> None:
    wire, got = Wire(), list[int]()

    class Session(TranscriptionSession):
        async def send(self, command: Command) -> None:
            got.append(command.nbytes)
            await super().send(command)

    socket = Socket("clear", "x" * 5000, leaves=True)
    await pump(socket, wire, Session(ScriptedInput(), Settings()), asyncio.Event())
    assert got == [0, 5000]


class Metered:
    """A meter whose client's day is over after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def charge(self, seconds: float) -> None:
        self.left -= seconds
        if self.left < 0:
            raise RateLimited("no more today")


class Appending(Wire):
    """Takes audio, and tells of failures in its own words."""

    def receive(self, message: str | bytes) -> Sequence[Command]:
        return [Append(audio=message)] if isinstance(message, bytes) else [Finish()]

    def send(self, event: Event) -> Sequence[Answer]:
        return [f"sorry: {event.error}"] if isinstance(event, Failed) else ()


@pytest.mark.parametrize("encoding", ["pcm16", "container"])
@pytest.mark.parametrize("seconds", [0.5, 3.0])
async def test_audio_is_counted_on_every_wire_and_its_end_is_told_in_its_words(encoding: str, seconds: float) -> None:
    format = AudioFormat(encoding, 48000)  # type: ignore[arg-type]
    data = encode("wav", "pcm_s16le") if encoding == "container" else format.encode(TONE)
    pieces = [data[place : place + 9600] for place in range(0, len(data), 9600)]
    socket, metered = Socket(*pieces, "finish"), Metered(seconds)
    metrics = Metrics()
    session = TranscriptionSession(ScriptedInput(), Settings(input=format))
    async with asyncio.timeout(20):
        meter = LiveMeter("wire", metrics, charge=metered.charge)
        await pump(socket, Appending(), session, asyncio.Event(), 0.0, meter)
    if seconds < 2.0:
        assert socket.sent == ["sorry: no more today", (1008, "rate_limited")]
    else:
        assert socket.sent == [(1000, "done")]
        assert metered.left == pytest.approx(1.0, abs=0.02)
        assert metrics.live_audio["wire"] == pytest.approx(2.0, abs=0.02)


async def test_a_turn_does_not_end_while_the_connection_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the audio that is missing nor by the wire's time; both go on when the client is back."""
    monkeypatch.setattr(ws, "TICK", 0.01)
    wire, got = Wire(), list[Command]()
    wire.receive = lambda message: [Append(audio=b"\0" * 480)]  # type: ignore[method-assign]

    class Session(TranscriptionSession):
        async def send(self, command: Command) -> None:
            got.append(command)

    class Broken(Socket):
        back = asyncio.Event()
        began = 0.0

        async def connected(self) -> float:
            await self.back.wait()
            return self.began

    socket, drained = Broken("audio"), asyncio.Event()
    session = Session(ScriptedInput(), Settings())
    pumping = asyncio.create_task(pump(socket, wire, session, drained, audio_timeout=0.05))
    await asyncio.sleep(0.2)
    assert [type(command) for command in got] == [Append] and len(wire.times) == 1
    socket.began = asyncio.get_running_loop().time()
    socket.back.set()
    await asyncio.sleep(0.02)
    assert len(got) == 1
    await asyncio.sleep(0.2)
    assert [type(command) for command in got] == [Append, Lapse] and len(wire.times) > 1
    drained.set()
    await asyncio.wait_for(pumping, 5)


async def test_a_wire_knows_that_its_client_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deepgram's closed clients that sent a recording faster than a slow machine takes it: nothing came, it said."""
    monkeypatch.setattr(ws, "TICK", 0.02)
    monkeypatch.setattr(ws, "HOLD", 0.05)
    takes = asyncio.Event()

    class Session(TranscriptionSession):
        async def send(self, command: Command) -> None:
            await takes.wait()

    socket, wire, drained = Socket("clear"), Wire(), asyncio.Event()
    pumping = asyncio.create_task(pump(socket, wire, Session(ScriptedInput(), Settings()), drained))
    await asyncio.sleep(0.2)
    assert not wire.held[0] and wire.held[-1]
    takes.set()
    await asyncio.sleep(0.1)
    assert not wire.held[-1]
    drained.set()
    await asyncio.wait_for(pumping, 5)
