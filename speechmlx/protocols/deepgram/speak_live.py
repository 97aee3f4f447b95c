"""The WebSocket /v1/speak: clauses are spoken while more text comes, and their sound is sent as samples."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.response.encoding import OutputEncoder
from speechmlx.conversation.response.synthesis import speak_clause
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.deepgram.connection import accept, go_on
from speechmlx.protocols.deepgram.control import closing
from speechmlx.protocols.deepgram.speak_wire import (
    Clause,
    ClearSpeech,
    FlushSpeech,
    HangUp,
    SpeakWire,
    Task,
    Tell,
    failure,
    warning,
)
from speechmlx.protocols.deepgram.speech_format import live_format
from speechmlx.protocols.deepgram.speech_request import speaker
from speechmlx.protocols.http.deepgram_errors import problem
from speechmlx.protocols.http.request_id import request_id
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, Kind, Load, Priority, Speak

if TYPE_CHECKING:
    from speechmlx.audio.live_format import AudioFormat

WIRE = "deepgram_speak"
"""Its name in /metrics."""
MAX_TEXT = 100_000
"""Characters that wait to be spoken. The socket is not read while more wait."""
MAX_SOUND = 256 * 1024
"""Bytes that wait to be sent. Nothing is synthesised while more wait."""

Outgoing = ws.Answer | FlushSpeech | ClearSpeech
"""What waits to be sent. The answers to Flush and Clear get their number when they are sent."""


async def speak_live(socket: WebSocket, services: Services) -> None:
    """Serve one socket until it is over or its connection has broken. A bad query is refused before the handshake."""
    if live_sessions.asks(socket):
        await go_on(socket, services)
        return
    query = dict(socket.query_params)
    async with AsyncExitStack() as places:
        try:
            format, voice = live_format(query), speaker(query, services.names)
            await places.enter_async_context(services.sessions.session(WIRE))
        except SpeechError as error:
            note_error(error.code)
            await socket.send_denial_response(problem(error))
            return
        id = request_id(socket.scope)
        await accept(socket, id)
        wire = SpeakWire(id, voice, services.config.max_input_chars, time.monotonic())
        speech, runtime = voice.request("", Priority.REALTIME), services.runtime

        async def speak(link: LiveLink) -> None:
            await SpeakSession(link, wire, runtime, speech, format, runtime.drained).run()

        await services.live.begin(socket, id, LiveLink(wire.resume, services.live.window), speak, places)


class SpeakSession:
    """The tasks of one socket: it reads text, speaks clauses in order, and sends. Only one of them sends.

    Text and sound that wait are bounded: a client that writes or reads at its own pace slows down only itself. It ends
    when `drained` is set.
    """

    def __init__(
        self,
        socket: ws.Link,
        wire: SpeakWire,
        engines: Engines,
        speech: Speak,
        format: AudioFormat,
        drained: asyncio.Event,
    ) -> None:
        self._socket = socket
        self._wire = wire
        self._engines = engines
        self._speech = speech
        self._encoder = OutputEncoder(format)
        self._drained = drained
        self._tasks = Channel[Task](MAX_TEXT, lambda task: len(task.text) if isinstance(task, Clause) else 1)
        self._answers = Channel[Outgoing](MAX_SOUND, lambda answer: len(answer) if isinstance(answer, bytes) else 1)
        self._speaking: asyncio.Task[None] | None = None
        """Speaks one clause."""

    async def run(self) -> None:
        """Serve the socket until one side ends it."""
        self._answers.put(self._wire.open())
        own = (self._load(), self._read(), self._speak(), self._write(), self._watch(), self._leave())
        parts = [asyncio.create_task(part) for part in own]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            ends = await asyncio.gather(*parts, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _load(self) -> None:
        """Load the model before the first text. Errors are ignored here: the clause that needs it reports them."""
        with suppress(SpeechError):
            model = self._engines.model(self._speech.model, Kind.TTS).name
            await self._engines.submit(Load(model=model)).finished()
        await asyncio.Event().wait()  # the other parts go on

    async def _read(self) -> None:
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            for task in self._wire.receive(message["bytes"] if text is None else text, time.monotonic()):
                match task:
                    case Tell(message=told):
                        self._answers.put(told)
                    case ClearSpeech():
                        await self._clear()
                    case _:
                        await self._tasks.send(task)

    async def _clear(self) -> None:
        """Stop speaking, and drop what waits, also the answers to a Flush before."""
        self._tasks.drop(lambda task: not isinstance(task, HangUp))
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        self._answers.drop(lambda answer: isinstance(answer, bytes | FlushSpeech))
        self._encoder = OutputEncoder(self._encoder.format)
        self._answers.put(ClearSpeech())

    async def _speak(self) -> None:
        """Do the tasks in order."""
        async for task in self._tasks:
            match task:
                case Clause(text):
                    await self._spoken(text)
                case FlushSpeech():
                    self._finish_sound()
                    self._answers.put(task)
                case HangUp(close):
                    self._finish_sound()
                    self._answers.put(close)

    async def _spoken(self, clause: str) -> None:
        """Speak a clause. Returns early when it is cleared."""
        self._speaking = asyncio.create_task(self._say(clause))
        try:
            await asyncio.wait({self._speaking})
            if not self._speaking.cancelled():
                self._speaking.result()
        finally:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)

    async def _say(self, clause: str) -> None:
        try:
            async with aclosing(speak_clause(self._engines, self._speech, clause)) as spoken:
                async for event in spoken:
                    for piece in self._encoder.push(event) if isinstance(event, Chunk) else ():
                        await self._answers.send(piece)
        except BadRequest as error:
            self._answers.put(warning("TEXT_NOT_SPOKEN", str(error)))
        except SpeechError as error:
            note_error(error.code)
            self._answers.put(failure(error.code, str(error)))
            self._answers.put(closing(1011, f"NET-0000: {error}"))

    def _finish_sound(self) -> None:
        for piece in self._encoder.flush():
            self._answers.put(piece)

    async def _write(self) -> None:
        async for answer in self._answers:
            match answer:
                case FlushSpeech():
                    answer = self._wire.flushed()
                case ClearSpeech():
                    answer = self._wire.cleared()
            if not await ws.send(self._socket, [answer]):
                return

    async def _watch(self) -> None:
        """Close a socket that is idle."""
        while (close := self._wire.tick(time.monotonic())) is None:
            await asyncio.sleep(ws.TICK)
            await self._socket.connected()
        self._answers.put(close)
        await asyncio.Event().wait()  # until it was sent

    async def _leave(self) -> None:
        """Close the socket when the server stops."""
        await self._drained.wait()
        self._answers.put(closing(ws.SERVICE_RESTART, "the server is shutting down"))
        await asyncio.Event().wait()  # until it was sent
