"""One connection at /ws/transcribe: reads its requests, and answers them in their order."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from functools import partial
from io import BytesIO

from starlette.websockets import WebSocket

from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.llm.rewriting import rewriter
from speechmlx.errors import EngineFailed, SpeechError
from speechmlx.log import note_error
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.http.access_keys import key_subprotocol, offered_keys
from speechmlx.protocols.http.clients import Client, client_of, with_key, working_for
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_link import LiveLink
from speechmlx.protocols.one_shot.request_metrics import UNKNOWN, RequestMetrics
from speechmlx.protocols.one_shot.wire import Json, OneShotWire, Pong, RecordingRequest, Refusal, resumed
from speechmlx.protocols.one_shot.wire import answer as as_json
from speechmlx.recognition import RecognitionResult, recognise_all
from speechmlx.runtime.channel import Channel
from speechmlx.types import Kind

log = logging.getLogger(__name__)

NAME = "one_shot"
"""Of the wire, in the metrics."""
POLICY_VIOLATION = 1008
NO_MODEL = "postprocessing needs a language model, and none is configured"


async def answer(socket: WebSocket, services: Services, metrics: RequestMetrics) -> None:
    """Accept a connection and answer its requests until it is over or has broken."""
    chosen = key_subprotocol(socket.scope)
    if live_sessions.asks(socket):
        await socket.accept(chosen)
        await services.live.resume(socket, partial(refuse, socket))
        return
    id = new_id("sess")
    await socket.accept(chosen, [live_sessions.header(id)])
    client, keys = client_of(socket.scope), list(offered_keys(socket.scope))

    async def work(link: LiveLink) -> None:
        await OneShotConnection(link, services, metrics, client, keys).run()

    async with AsyncExitStack() as places:
        await services.live.begin(socket, id, LiveLink(resumed, services.live.window), work, places)


async def refuse(socket: WebSocket, error: SpeechError) -> None:
    """Tell a client that there is no session to go on with."""
    await ws.send(socket, [json.dumps({"error": str(error)}), ws.Close(POLICY_VIOLATION, error.code)])


class OneShotConnection:
    """The tasks of one session. One request is worked on while one waits; the client then waits, too.

    `client` and `keys`: those of the handshake.
    """

    def __init__(
        self, socket: ws.Link, services: Services, metrics: RequestMetrics, client: Client, keys: list[str]
    ) -> None:
        self._socket = socket
        self._client = client
        self._services = services
        self._keys = keys
        self._metrics = metrics
        self._requests: Channel[RecordingRequest | Refusal] = Channel(1)
        self._answered = False
        """Whether a request was answered."""
        self._wire = OneShotWire(self._accepts, services.config.max_audio_bytes)

    async def run(self) -> None:
        """Answer requests until the client has left or the server is drained."""
        tasks = [asyncio.create_task(task) for task in (self.read(), self.work(), self.leave())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

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
        return [*self._keys, *([] if key is None else [key])]

    async def _send(self, message: Json) -> None:
        await ws.send(self._socket, [json.dumps(message, ensure_ascii=False)])

    async def _limited(self, request: RecordingRequest) -> Json:
        """The answer to a request, which is one of the holder of its key and has a seat while it is worked on."""
        usage, sessions = self._services.usage, self._services.sessions
        metadata = request.metadata
        try:
            with working_for(self._holder(metadata.key)) as client:
                if self._answered or client != self._client:
                    usage.request(client)  # else the handshake counted as this one
                self._answered = True
                async with sessions.session(NAME):
                    return await self._answer(request)
        except SpeechError as error:
            self._metrics.request(metadata.machine, metadata.form.task, error.code)
            return {"error": str(error)}

    def _holder(self, key: str | None) -> Client:
        """Who holds the key of a request, else of the handshake; or who has the address."""
        return with_key(self._client, self._services.keys.find(self._offered(key)))

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
