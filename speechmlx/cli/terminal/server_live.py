"""Live recognition and conversations on a server: Deepgram's WS /v1/listen, OpenAI's WS /v1/realtime."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from speechmlx.cli.terminal.backend import (
    LISTEN_RATE,
    AnswerOver,
    AnswerSound,
    AnswerText,
    HearingOptions,
    PersonSaid,
    PersonSpeaks,
    TalkEvent,
    TalkingOptions,
    TalkTrouble,
)
from speechmlx.cli.terminal.servers import NONE, ServerAddress
from speechmlx.errors import BadRequest, Unavailable
from speechmlx.testing.server_stream import ServerStream
from speechmlx.types import Hypothesis

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

PATIENCE = 30.0
"""Seconds in which the server takes the connection."""
SILENT_SECONDS = 30.0
"""Seconds without an event after which a conversation that was finished is over."""
QUIET_SECONDS = 0.5
"""Seconds without an event after which one with nothing under way is."""
LARGEST = 16 << 20
"""Bytes of a message."""


class ServerListening:
    """A LiveSpeech of a server."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream

    async def feed(self, pcm16: bytes) -> None:
        await self._stream.feed(pcm16)

    async def finish(self) -> None:
        await self._stream.finish()

    def __aiter__(self) -> AsyncIterator[Hypothesis]:
        return self._stream.words()


@asynccontextmanager
async def listen_on(server: ServerAddress, options: HearingOptions) -> AsyncIterator[ServerListening]:
    """Live recognition on a server, in a block. Raises BadRequest and Unavailable."""
    if options.translate or options.prompt:
        raise BadRequest(f"live words of a server are not translated and take no prompt; use --server {NONE}")
    stream = ServerStream(
        server.url, server.key, LISTEN_RATE, options.model, options.language, options.diarize, server.context
    )
    try:
        await stream.open()
        yield ServerListening(stream)
    finally:
        await stream.close()


@asynccontextmanager
async def talk_on(server: ServerAddress, options: TalkingOptions) -> AsyncIterator[ServerTalk]:
    """A conversation on a server, in a block. Raises Unavailable."""
    from websockets import InvalidHandshake
    from websockets.asyncio.client import connect

    query = "" if options.model is None else f"?{urlencode({'model': options.model})}"
    address = f"ws{server.url.removeprefix('http')}/v1/realtime{query}"
    extra: dict[str, Any] = {} if server.context is None else {"ssl": server.context}
    try:
        socket = await connect(
            address,
            additional_headers=server.headers,
            proxy=None,
            open_timeout=PATIENCE,
            max_size=LARGEST,
            **extra,
        )
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise Unavailable(f"{server.url} takes no conversation: {error}") from error
    async with socket:
        await socket.send(json.dumps({"type": "session.update", "session": session_settings(options)}))
        yield ServerTalk(socket)


def session_settings(options: TalkingOptions) -> dict[str, Any]:
    """The settings of the session."""
    language = {} if options.language is None else {"language": options.language}
    heard = {
        "transcription": {"model": "whisper-1", **language},
        "turn_detection": {"type": "server_vad", "interrupt_response": options.interrupts},
    }
    output = {} if options.voice is None else {"output": {"voice": options.voice}}
    return {"type": "realtime", "instructions": options.instructions, "audio": {"input": heard, **output}}


class TalkState:
    """What of a conversation is under way, by the events of the wire. Pure."""

    def __init__(self) -> None:
        self._speaking = False
        self._transcripts = 0
        """Turns whose transcript is to come."""
        self._responses = 0
        """Answers under way, and those that are to come."""

    @property
    def idle(self) -> bool:
        """Whether nothing more comes without more audio."""
        return not self._speaking and self._transcripts <= 0 and self._responses <= 0

    def add(self, kind: str) -> None:
        """The next event is of this type."""
        match kind:
            case "input_audio_buffer.speech_started":
                self._speaking = True
            case "input_audio_buffer.speech_stopped":
                self._speaking = False
                self._transcripts += 1
            case (
                "conversation.item.input_audio_transcription.completed"
                | "conversation.item.input_audio_transcription.failed"
            ):
                self._transcripts -= 1
            case "response.created":
                self._responses += 1
            case "response.done":
                self._responses -= 1


class ServerTalk:
    """A LiveTalk of a server."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._state = TalkState()
        self._finishing = asyncio.Event()

    async def feed(self, pcm16: bytes) -> None:
        from websockets import ConnectionClosed

        message = {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm16).decode()}
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise Unavailable(f"the server closed the conversation: {error}") from error

    async def finish(self) -> None:
        self._finishing.set()

    async def __aiter__(self) -> AsyncIterator[TalkEvent]:
        finishing = asyncio.create_task(self._finishing.wait())
        receiving: asyncio.Task[dict[str, Any]] | None = None
        try:
            while True:
                receiving = receiving or asyncio.create_task(self._receive())
                if finishing.done():
                    limit = QUIET_SECONDS if self._state.idle else SILENT_SECONDS
                    await asyncio.wait([receiving], timeout=limit)
                    if not receiving.done():
                        return
                else:
                    await asyncio.wait([receiving, finishing], return_when=asyncio.FIRST_COMPLETED)
                    if not receiving.done():
                        continue
                message, receiving = receiving.result(), None
                self._state.add(message["type"])
                if (event := talk_event_of(message)) is not None:
                    yield event
        finally:
            for task in (finishing, receiving):
                if task is not None:
                    task.cancel()

    async def _receive(self) -> dict[str, Any]:
        from websockets import ConnectionClosed

        try:
            message: dict[str, Any] = json.loads(await self._socket.recv())
        except ConnectionClosed as error:
            raise Unavailable(f"the server closed the conversation: {error}") from error
        return message


def talk_event_of(message: Mapping[str, Any]) -> TalkEvent | None:
    """What an event of the wire means at a terminal; None: nothing."""
    match message["type"]:
        case "input_audio_buffer.speech_started":
            return PersonSpeaks()
        case "conversation.item.input_audio_transcription.completed":
            return PersonSaid(message["transcript"].strip())
        case "response.output_audio_transcript.delta" | "response.output_text.delta":
            return AnswerText(message["delta"])
        case "response.output_audio.delta":
            return AnswerSound(base64.b64decode(message["delta"]))
        case "response.done":
            response = message["response"]
            error = ((response.get("status_details") or {}).get("error") or {}).get("message")
            return AnswerOver(response["status"], error)
        case "error" | "conversation.item.input_audio_transcription.failed":
            return TalkTrouble(message["error"]["message"])
    return None
