"""A socket of /v1/speak without a network: order, clearing, errors, and how much waits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketState
from support.fake_engines import FakeEngines, Step, row
from support.live_voice import LiveEngines

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.response import written_text
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.protocols.deepgram import speak_live, speak_wire
from speechmlx.protocols.deepgram.speak_live import SpeakSession
from speechmlx.protocols.deepgram.speak_wire import SpeakWire
from speechmlx.protocols.deepgram.speech_request import Speaker
from speechmlx.types import Chunk, Kind, Load, Speak

RATE = 24000
SECOND = (1000).to_bytes(2, "little") * RATE
LEAVE = "leave"


class Socket:
    """A client that sends `messages`; a number waits until so many messages were sent to it. It stays, or leaves."""

    def __init__(self, *messages: str | int) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.sent: list[Any] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self._messages = list(messages)

    async def receive(self) -> dict[str, Any]:
        while self._messages:
            message = self._messages.pop(0)
            if message == LEAVE:
                return {"type": "websocket.disconnect"}
            if isinstance(message, str):
                return {"type": "websocket.receive", "text": message}
            while len(self.sent) < message:
                await asyncio.sleep(0.001)
        await asyncio.Event().wait()
        raise AssertionError

    async def connected(self) -> float:
        return 0.0

    async def send_text(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def send_bytes(self, data: bytes) -> None:
        await self.reads.wait()
        self.sent.append(data)

    async def close(self, code: int, reason: str) -> None:
        self.application_state = WebSocketState.DISCONNECTED
        self.sent.append((code, reason))

    @property
    def kinds(self) -> list[Any]:
        """What was sent: types of messages, "sound" for a run of audio, close codes."""
        found: list[Any] = []
        for message in self.sent:
            kind = message["type"] if isinstance(message, dict) else "sound"
            kind = message[0] if isinstance(message, tuple) else kind
            if kind != "sound" or found[-1:] != ["sound"]:
                found.append(kind)
        return found

    @property
    def seconds(self) -> float:
        return sum(len(message) for message in self.sent if isinstance(message, bytes)) / 2 / RATE


def say(text: str) -> str:
    return json.dumps({"type": "Speak", "text": text})


FLUSH, CLEAR, CLOSE = (json.dumps({"type": kind}) for kind in ("Flush", "Clear", "Close"))


def a_second(request: Speak) -> Iterable[Step]:
    return [Chunk(SECOND, RATE)]


async def serve(
    socket: Socket, run: Callable[[Any], Iterable[Step]] = a_second, drained: asyncio.Event | None = None
) -> FakeEngines:
    """Run a session on `socket` until it ends."""
    engines = FakeEngines(lambda request: run(request) if isinstance(request, Speak) else (), [row(Kind.TTS)])
    await serve_with(engines, socket, drained)
    return engines


async def serve_with(engines: FakeEngines, socket: Socket, drained: asyncio.Event | None = None) -> None:
    speaker = Speaker("aura-2-thalia-en", row(Kind.TTS), None, None, 1.0)
    wire = SpeakWire("req_1", speaker, 1000, time.monotonic())
    session = SpeakSession(
        socket,
        wire,
        engines,
        speaker.request(""),
        AudioFormat("pcm16", RATE),
        drained or asyncio.Event(),
    )
    async with asyncio.timeout(10):
        await session.run()


async def test_clauses_are_spoken_in_order_and_every_flush_is_answered() -> None:
    socket = Socket(say("One sentence. And "), say("another."), FLUSH, say("A third."), FLUSH, CLOSE)
    engines = await serve(socket)
    assert [request.text for request in engines.requests(Speak)] == ["One sentence.", "And another.", "A third."]
    assert socket.kinds == ["Metadata", "sound", "Flushed", "sound", "Flushed", 1000]
    assert [
        message["sequence_id"] for message in socket.sent if isinstance(message, dict) and "sequence_id" in message
    ] == [0, 1]
    assert socket.seconds == pytest.approx(3.0)
    assert all(job.left for job in engines.jobs)


async def test_the_model_loads_before_there_is_text() -> None:
    engines = await serve(Socket(1, LEAVE))
    assert [request.model for request in engines.requests(Load)] == ["fake-tts"]


async def test_a_clause_is_spoken_before_the_flush() -> None:
    socket = Socket(say("One sentence. And more"), 2, LEAVE)
    await serve(socket)
    assert socket.kinds == ["Metadata", "sound"]


async def test_clear_stops_the_sound_and_what_comes_next_is_whole() -> None:
    def run(request: Speak) -> Iterable[Step]:
        return [Chunk(SECOND, RATE), 60.0] if request.text.startswith("Slow") else [Chunk(SECOND, RATE)]

    socket = Socket(say("Slow sentence. Never heard. "), FLUSH, 2, CLEAR, say("Heard."), FLUSH, CLOSE)
    engines = await serve(socket, run)
    assert [request.text for request in engines.requests(Speak)] == ["Slow sentence.", "Heard."]
    assert socket.kinds == ["Metadata", "sound", "Cleared", "sound", "Flushed", 1000]
    cleared = next(at for at, message in enumerate(socket.sent) if not isinstance(message, bytes | tuple) and at)
    assert sum(map(len, socket.sent[cleared + 1 : -2])) == len(SECOND)
    assert all(job.left for job in engines.jobs)


async def test_what_cannot_be_said_is_a_warning_and_the_rest_is_spoken() -> None:
    def run(request: Speak) -> Iterable[Step]:
        return [BadRequest("nothing can be said")] if "???" in request.text else [Chunk(SECOND, RATE)]

    socket = Socket(say("abc ???"), FLUSH, say("… !"), FLUSH, say("Fine."), FLUSH, CLOSE)
    await serve(socket, run)
    assert socket.kinds == ["Metadata", "Warning", "Flushed", "sound", "Flushed", "sound", "Flushed", 1000]
    assert socket.sent[1]["warn_msg"] == socket.sent[1]["description"] == "nothing can be said"


async def test_an_engine_that_fails_is_an_error_and_the_end() -> None:
    socket = Socket(say("Hello."), FLUSH)
    await serve(socket, lambda request: [EngineFailed("it broke")])
    assert socket.sent[1]["type"] == "Error" and socket.sent[1]["description"] == "it broke"
    assert socket.sent[-1] == (1011, "NET-0000: it broke")


async def test_a_client_that_leaves_ends_the_work() -> None:
    socket = Socket(say("A sentence. More"), 2, LEAVE)
    engines = await serve(socket, lambda request: [Chunk(SECOND, RATE), 60.0])
    assert len(list(engines.requests(Speak))) == 1 and all(job.left for job in engines.jobs)


async def test_the_server_stops() -> None:
    drained = asyncio.Event()
    drained.set()
    socket = Socket()
    await serve(socket, drained=drained)
    assert socket.sent[-1] == (1012, "the server is shutting down")


async def test_an_idle_socket_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak_wire, "IDLE", 0.0)
    socket = Socket()
    await serve(socket)
    assert socket.kinds == ["Metadata", 1011]


MESSAGES = st.lists(st.sampled_from([say("One two. "), say("three, "), say("four "), FLUSH, CLEAR]), max_size=12)


@given(messages=MESSAGES, pace=st.lists(st.booleans(), min_size=12, max_size=12))
@settings(deadline=None, max_examples=60)
async def test_after_the_last_clear_everything_is_said(messages: list[str], pace: list[bool]) -> None:
    def run(request: Speak) -> Iterable[Step]:
        return [step for _ in request.text.split() for step in (Chunk(SECOND[:4800], RATE), 0.0)]

    socket = Socket(
        *(part for message, slow in zip(messages, pace, strict=False) for part in ([1] * slow + [message])), CLOSE
    )
    await serve(socket, run)
    told = [message for message in socket.sent if isinstance(message, dict)]
    numbered = [message for message in told if "sequence_id" in message]
    assert [message["sequence_id"] for message in numbered] == list(range(len(numbered)))
    assert sum(message["type"] == "Cleared" for message in numbered) == messages.count(CLEAR)
    last = max((at for at, message in enumerate(messages) if message == CLEAR), default=-1) + 1
    cleared = max(
        (at for at, sent in enumerate(socket.sent) if sent in numbered and sent["type"] == "Cleared"), default=0
    )
    after = socket.sent[cleared + 1 :]
    words = sum(len(json.loads(message).get("text", "").split()) for message in messages[last:])
    assert sum(len(sent) for sent in after if isinstance(sent, bytes)) == words * 4800
    assert sum(isinstance(sent, dict) for sent in after) == messages[last:].count(FLUSH)
    assert socket.sent[-1] == (1000, "")


async def test_little_is_synthesised_for_a_client_that_does_not_read() -> None:
    socket = Socket(*(say(f"Sentence number {n} is here. ") for n in range(60)), FLUSH, CLOSE)
    socket.reads.clear()
    engines = FakeEngines(a_second, [row(Kind.TTS)])

    def run(request: Speak) -> Iterable[Step]:
        engines.submit(request)
        return [Chunk(SECOND, RATE)]

    serving = asyncio.create_task(serve(socket, run))
    await asyncio.sleep(0.3)
    assert len(engines.jobs) <= speak_live.MAX_SOUND / len(SECOND) + 2
    socket.reads.set()
    await serving
    assert len(engines.jobs) == 60 and socket.seconds == pytest.approx(60.0)


async def test_a_client_that_writes_a_book_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speak_live, "MAX_TEXT", 100)
    socket = Socket(*(say(f"Sentence number {n} is here. ") for n in range(40)), FLUSH, CLOSE)
    socket.reads.clear()
    serving = asyncio.create_task(serve(socket))
    await asyncio.sleep(0.2)
    assert len(socket._messages) > 20
    socket.reads.set()
    await serving
    assert socket.seconds == pytest.approx(40.0)


# --- a voice that takes text while it is written ---

LIVE = [row(Kind.TTS, streams_text=True, rate=1000)]
BEGUN = say("It is very late and "), say("I go to bed, "), 2
"""Some of a sentence, and its first sound."""


async def live(*messages: str | int) -> tuple[Socket, LiveEngines]:
    """A session with such a voice, which says each piece of text at once."""
    socket, engines = Socket(*messages), LiveEngines(rows=LIVE)
    await serve_with(engines, socket)
    assert all(job.left for job in engines.jobs)
    return socket, engines


async def test_all_text_up_to_a_flush_is_one_job_and_its_sound_comes_before_the_end_of_the_text() -> None:
    socket, engines = await live(*BEGUN, say("you see. Good "), say("night."), FLUSH, say("Yes."), CLOSE)
    assert [job.text for job in engines.voices] == ["It is very late and I go to bed, you see. Good night.", "Yes."]
    assert list(engines.requests(Speak)) == []
    assert socket.kinds == ["Metadata", "sound", "Flushed", "sound", 1000]


async def test_a_flush_behind_a_pause_needs_no_other_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_text, "HELD", 0.0)
    socket, engines = await live(*BEGUN, FLUSH, CLOSE)
    assert engines.voice.text == "It is very late and I go to bed, "
    assert socket.kinds == ["Metadata", "sound", "Flushed", 1000]


async def test_clear_drops_the_text_of_a_job_and_what_comes_next_is_another_s() -> None:
    socket, engines = await live(*BEGUN, CLEAR, say("Good night."), FLUSH, CLOSE)
    assert [job.text for job in engines.voices] == ["It is very late and I go to bed, ", "Good night."]
    assert socket.kinds == ["Metadata", "sound", "Cleared", "sound", "Flushed", 1000]


async def test_a_sentence_that_a_voice_refuses_is_a_warning_and_the_rest_is_spoken() -> None:
    text = say("It is very late. This is unsayable, they say. And so I go to bed.")
    socket, engines = await live(text, FLUSH, say("Good night."), CLOSE)
    assert [kind for kind in socket.kinds if kind != "sound"] == ["Metadata", "Warning", "Flushed", 1000]
    assert socket.seconds == pytest.approx(3 * 0.55, abs=0.05)
    warned = next(told for told in socket.sent if isinstance(told, dict) and told["type"] == "Warning")
    assert warned["code"] == "TEXT_NOT_SPOKEN" and "unsayable" in warned["description"]
    assert [job.text for job in engines.voices][1:] == ["And so I go to bed.", "Good night."]


async def test_a_voice_that_fails_is_an_error_and_the_end() -> None:
    socket, _ = await live(*BEGUN, say("fail"))
    assert socket.kinds == ["Metadata", "sound", "Error", 1011] and socket.sent[-1] == (1011, "NET-0000: no")


async def test_a_voice_that_ends_early_is_asked_again() -> None:
    socket, engines = await live(*BEGUN, say("end"), say("Good night."), FLUSH, CLOSE)
    assert [job.text for job in engines.voices][1:] == ["Good night."]
    assert socket.kinds == ["Metadata", "sound", "Flushed", 1000]
