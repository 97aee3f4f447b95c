"""The WebSocket /v1/speak: text is spoken while more of it comes, and its sound is sent as samples."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING, Self

from starlette.websockets import WebSocket

from speechmlx.conversation.engines import Engines
from speechmlx.conversation.response.answer import ClauseEnded
from speechmlx.conversation.response.encoding import OutputEncoder
from speechmlx.conversation.response.written_speech import speak_written
from speechmlx.conversation.response.written_text import TimedText
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.deepgram.connection import accept, go_on
from speechmlx.protocols.deepgram.control import closing
from speechmlx.protocols.deepgram.speak_wire import (
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
    """The tasks of one socket: it reads text, speaks it, and sends. Only one of them sends.

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
        self._tasks = Channel[Task](MAX_TEXT, lambda task: len(task.text) if isinstance(task, TimedText) else 1)
        self._answers = Channel[Outgoing](MAX_SOUND, lambda answer: len(answer) if isinstance(answer, bytes) else 1)
        self._text: TextTasks | None = None
        """The text that is spoken."""
        self._speaking: asyncio.Task[None] | None = None
        """Speaks it."""

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
        """Load the model before the first text. Errors are ignored here: the text that needs it reports them."""
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
        if self._text is not None:
            self._text.clear()
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        self._answers.drop(lambda answer: isinstance(answer, bytes | FlushSpeech))
        self._encoder = OutputEncoder(self._encoder.format)
        self._answers.put(ClearSpeech())

    async def _speak(self) -> None:
        """Do the tasks in order."""
        async for task in self._tasks:
            match await self._spoken(task) if isinstance(task, TimedText) else task:
                case FlushSpeech() as flushed:
                    self._finish_sound()
                    self._answers.put(flushed)
                case HangUp(close):
                    self._finish_sound()
                    self._answers.put(close)

    async def _spoken(self, first: TimedText) -> Task | None:
        """Speak a text. Returns what it ended with; early when it is cleared, or when the voice says no more of it."""
        text = self._text = TextTasks(first, self._tasks)
        self._speaking = asyncio.create_task(self._say(text))
        try:
            await asyncio.wait({self._speaking})
            if not self._speaking.cancelled():
                self._speaking.result()
        finally:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        return text.end

    async def _say(self, text: TextTasks) -> None:
        try:
            async with aclosing(speak_written(self._engines, self._speech, text)) as spoken:
                async for event in spoken:
                    for piece in self._encoder.push(event) if isinstance(event, Chunk) else ():
                        await self._answers.send(piece)
                    if isinstance(event, ClauseEnded) and event.refused is not None:
                        self._answers.put(warning("TEXT_NOT_SPOKEN", str(event.refused)))
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


class TextTasks:
    """The text of `tasks` from `first` on, up to a Flush or a Close."""

    def __init__(self, first: TimedText, tasks: Channel[Task]) -> None:
        self.end: Task | None = None
        """What ended it."""
        self._first: TimedText | None = first
        self._tasks = tasks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TimedText:
        if (first := self._first) is not None:
            self._first = None
            return first
        if self.end is None:
            task = await anext(self._tasks)
            if isinstance(task, TimedText):
                return task
            self.end = task
        raise StopAsyncIteration

    def clear(self) -> None:
        """Forget a Flush that ended it."""
        if isinstance(self.end, FlushSpeech):
            self.end = None
