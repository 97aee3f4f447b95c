"""One connection at /ws/transcribe: reads its requests, and answers them in their order."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from io import BytesIO

from starlette.websockets import WebSocket

from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.llm.rewriting import rewriter
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols import ws
from speechmlx.protocols.http.access_keys import key_subprotocol, offered_keys
from speechmlx.protocols.http.clients import Client, client_of, with_key, working_for
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.one_shot.request_metrics import UNKNOWN, RequestMetrics
from speechmlx.protocols.one_shot.wire import Json, OneShotWire, Pong, RecordingRequest, Refusal
from speechmlx.protocols.one_shot.wire import answer as as_json
from speechmlx.recognition import RecognitionResult, recognise_all
from speechmlx.runtime.channel import Channel
from speechmlx.types import Kind

log = logging.getLogger(__name__)

NAME = "one_shot"
"""Of the wire, in the metrics."""
NO_MODEL = "postprocessing needs a language model, and none is configured"


async def answer(socket: WebSocket, services: Services, metrics: RequestMetrics) -> None:
    """Accept a connection and answer its requests until the client leaves or the server is drained."""
    await socket.accept(key_subprotocol(socket.scope))
    connection = OneShotConnection(socket, services, metrics)
    tasks = [
        asyncio.create_task(connection.read()),
        asyncio.create_task(connection.work()),
        asyncio.create_task(connection.leave()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


class OneShotConnection:
    """The tasks of one connection. One request is worked on while one waits; the client then waits, too."""

    def __init__(self, socket: WebSocket, services: Services, metrics: RequestMetrics) -> None:
        self._socket = socket
        self._services = services
        self._metrics = metrics
        self._requests: Channel[RecordingRequest | Refusal] = Channel(1)
        self._answered = False
        """Whether a request was answered."""
        self._wire = OneShotWire(self._accepts, services.config.max_audio_bytes)

    async def read(self) -> None:
        """Read messages until the client leaves."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            received = self._wire.receive(message["bytes"] if text is None else text)
            if isinstance(received, Pong):
                await self._send(received.message)
            elif received is not None:
                await self._requests.send(received)

    async def work(self) -> None:
        """Answer the requests."""
        async for request in self._requests:
            if isinstance(request, Refusal):
                note_error(request.code)
                self._metrics.request(UNKNOWN, request.task, request.code)
                await self._send(request.message)
            else:
                await self._send(await self._limited(request))

    async def leave(self) -> None:
        """Close the socket when the server has stopped."""
        await self._services.runtime.drained.wait()
        await asyncio.sleep(ws.LAST_WORDS)
        await ws.send(self._socket, [ws.Close(ws.SERVICE_RESTART, "the server is shutting down")])

    def _accepts(self, key: str | None) -> bool:
        return self._services.keys.accepts(self._offered(key))

    def _offered(self, key: str | None) -> list[str]:
        return [*offered_keys(self._socket.scope), *([] if key is None else [key])]

    async def _send(self, message: Json) -> None:
        await ws.send(self._socket, [json.dumps(message, ensure_ascii=False)])

    async def _limited(self, request: RecordingRequest) -> Json:
        """The answer to a request, which is one of the holder of its key and has a seat while it is worked on."""
        usage, sessions = self._services.usage, self._services.sessions
        metadata = request.metadata
        try:
            with working_for(self._client(metadata.key)) as client:
                if self._answered or client != client_of(self._socket.scope):
                    usage.request(client)  # else the handshake counted as this one
                self._answered = True
                async with sessions.session(NAME):
                    return await self._answer(request)
        except SpeechError as error:
            self._metrics.request(metadata.machine, metadata.form.task, error.code)
            return {"error": str(error)}

    def _client(self, key: str | None) -> Client:
        """Who holds the key of a request, else of the handshake; or who has the address."""
        return with_key(client_of(self._socket.scope), self._services.keys.find(self._offered(key)))

    async def _answer(self, request: RecordingRequest) -> Json:
        """The answer to a request: its transcript, or what was wrong."""
        metadata, began = request.metadata, time.monotonic()
        machine, task = metadata.machine, metadata.form.task
        try:
            result = await self._recognise(request)
        except Exception as error:
            if not isinstance(error, SpeechError):
                log.exception("a request at /ws/transcribe failed")
                error = EngineFailed("the server failed on this request; its log has more")
            note_error(error.code)
            self._metrics.request(machine, task, error.code)
            return {"error": str(error)}
        text, seconds, failure = await self._postprocess(result, metadata.postprocess)
        self._metrics.request(machine, task, "ok")
        self._metrics.transcribed(machine, task, result.duration, time.monotonic() - began, seconds)
        return as_json(result, text, round(1000 * (seconds or 0.0)), failure)

    async def _recognise(self, request: RecordingRequest) -> RecognitionResult:
        runtime = self._services.runtime
        model = runtime.model(None, Kind.ASR)
        async with AsyncExitStack() as stack:
            audio = await self._services.decoding.decode(BytesIO(request.recording), model.rate, stack)
            return await recognise_all(runtime, request.metadata.form.request(model, audio))

    async def _postprocess(
        self, result: RecognitionResult, wanted: bool | None
    ) -> tuple[str | None, float | None, str | None]:
        """The corrected text, the seconds that it took, and the error; None for what there is not."""
        services = self._services
        if not (services.config.postprocess if wanted is None else wanted) or not result.text:
            return None, None, None
        model = rewriter(services.runtime, remote_language_model(services.config))
        if model is None:
            return None, None, NO_MODEL if wanted else None
        began = time.monotonic()
        try:
            text = await model.correct(result.text, result.text_language)
        except Exception as error:
            if not isinstance(error, SpeechError):
                log.exception("postprocessing failed")
                error = EngineFailed("postprocessing failed; the server's log has more")
            return None, time.monotonic() - began, str(error)
        return text, time.monotonic() - began, None
