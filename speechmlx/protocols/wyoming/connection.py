"""One client: its events in order, one request at a time, and the end of the connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wyoming.error import Error
from wyoming.event import Event
from wyoming.ping import Pong

from speechmlx import tracing
from speechmlx.errors import BadRequest, Draining, SpeechError
from speechmlx.log import RequestRecord, new_id, recording
from speechmlx.models.spec import Model
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.traffic import described, facts
from speechmlx.protocols.http.unhandled_errors import accident
from speechmlx.protocols.wyoming import requests
from speechmlx.protocols.wyoming.framing import read_event, write_event
from speechmlx.protocols.wyoming.info import PROGRAM, build_info, folder_in, installed
from speechmlx.protocols.wyoming.recognition import RecognitionWire, WyomingRecognition, model_for, settings_for
from speechmlx.protocols.wyoming.requests import RecognitionRequest, SampleFormat
from speechmlx.protocols.wyoming.synthesis import SpeechPlan, WyomingSynthesis, plan_for
from speechmlx.types import Kind

log = logging.getLogger(__name__)

IDLE = 600.0
"""Seconds that a client may say nothing between two requests, or between two pieces of a text."""
STALL = 60.0
"""Seconds that audio may be missing before audio-stop."""
LINGER = 5.0
"""Seconds in which a client that is still sending can read why it was refused, and takes what was written."""
FAREWELL = 1.0
"""Seconds in which a client takes that its request was broken off."""


class WyomingConnection:
    """One client's connection. `run` it to its end; cancel that when the server stops."""

    def __init__(self, services: Services, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._services = services
        self._reader = reader
        self._writer = writer
        self._client: str = (writer.get_extra_info("peername") or ("-",))[0]
        self._asked = RecognitionRequest()
        """What `transcribe` asked for the audio to come."""
        self._format = SampleFormat()
        """What `audio-start` said of it."""
        self._open: WyomingRecognition | WyomingSynthesis | None = None
        """The request whose audio or text still comes."""
        self._running: asyncio.Task[None] | None = None
        """The request that is answered."""
        self._patience: asyncio.Timeout | None = None
        """The limit of the wait for the next event."""
        self._interrupted = False
        """Whether a request was cancelled."""
        self._handlers: dict[str, Callable[[Event], Awaitable[None]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "select-program": self._select_program,
            "transcribe": self._transcribe,
            "audio-start": self._audio_start,
            "audio-chunk": self._audio_chunk,
            "audio-stop": self._audio_stop,
            "synthesize": self._synthesize,
            "synthesize-start": self._synthesize_start,
            "synthesize-chunk": self._synthesize_chunk,
            "synthesize-stop": self._synthesize_stop,
        }

    async def run(self) -> None:
        """Answer the client until it leaves, says nothing for too long, or asks for what cannot be."""
        try:
            await self._serve()
        except SpeechError as error:
            await self._refuse(error)
        except OSError:
            self._writer.transport.abort()
        except asyncio.CancelledError:
            if self._interrupted:
                await self._refuse(Draining("the server is shutting down"), FAREWELL, reads_on=False)
            raise
        except Exception:
            await self._refuse(accident(self._services.runtime.refusal, f"{self._client} Wyoming"))
        finally:
            await self._close()

    async def _serve(self) -> None:
        """Raises the first error of the reading side or of a request; the rest is cancelled then."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._read())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _read(self) -> None:
        """Handle events until the client sends no more; requests under way go on, with what they have."""
        while (event := await self._next()) is not None:
            if handler := self._handlers.get(event.type):
                await handler(event)
        if self._open is not None:
            self._open.finish()

    async def _next(self) -> Event | None:
        """The next event; None when none comes any more. Raises BadRequest, and OSError."""
        try:
            async with asyncio.timeout(self._limit()) as self._patience:
                return await read_event(self._reader)
        except TimeoutError:
            if isinstance(self._open, WyomingRecognition):
                raise BadRequest(f"neither audio nor audio-stop came for {STALL:g} s") from None
            return None
        finally:
            self._patience = None

    def _limit(self) -> float | None:
        """Seconds that the next event may take; None while a request is answered."""
        if self._open is None and self._running is not None and not self._running.done():
            return None
        return STALL if isinstance(self._open, WyomingRecognition) else IDLE

    # --- what is answered at once ---

    async def _describe(self, event: Event) -> None:
        runtime = self._services.runtime
        folder = folder_in(runtime.config, runtime.licences)
        info = await asyncio.to_thread(build_info, runtime.catalog, runtime.config, folder)
        await self._write([info.event()])

    async def _ping(self, event: Event) -> None:
        text = event.data.get("text")
        await self._write([Pong(text if isinstance(text, str) else None).event()])

    async def _select_program(self, event: Event) -> None:
        if (name := requests.program_name(event)) not in (None, PROGRAM):
            raise BadRequest(f"select-program: there is no program {name!r:.100}; there is {PROGRAM}")

    # --- recognition ---

    async def _transcribe(self, event: Event) -> None:
        self._expect_nothing_open(event)
        asked = requests.recognition_request(event)
        await self._model(asked)
        self._asked = asked

    async def _audio_start(self, event: Event) -> None:
        self._expect_nothing_open(event)
        self._format = requests.sample_format(event)

    async def _audio_chunk(self, event: Event) -> None:
        format = requests.sample_format(event, self._format)
        if not isinstance(self._open, WyomingRecognition):
            self._expect_nothing_open(event)
            self._format = format
            row = await self._model(self._asked)
            settings = settings_for(self._asked, row, format, self._services.runtime.model(None, Kind.ASR))
            recognition = WyomingRecognition(self._services, settings, format, self._write)
            await self._begin(recognition, "transcribe")
        if isinstance(self._open, WyomingRecognition):
            await self._open.push(format, event.payload or b"")

    async def _audio_stop(self, event: Event) -> None:
        if isinstance(self._open, WyomingRecognition):
            self._finish(self._open)
        else:
            self._expect_nothing_open(event)
            await self._settle()
            row = await self._model(self._asked)
            await self._write(RecognitionWire(settings_for(self._asked, row, self._format), self._format).end())
        self._asked, self._format = RecognitionRequest(), SampleFormat()

    async def _model(self, asked: RecognitionRequest) -> Model:
        return model_for(asked, self._services, await asyncio.to_thread(self._installed, Kind.ASR))

    # --- synthesis ---

    async def _synthesize(self, event: Event) -> None:
        if isinstance(self._open, WyomingSynthesis):
            return  # the whole text, for servers that take no chunks
        self._expect_nothing_open(event)
        text = requests.spoken_text(event)
        synthesis = WyomingSynthesis(self._services, await self._plan(event), False, self._write)
        synthesis.push(text)
        await self._begin(synthesis, "synthesize")
        self._finish(synthesis)

    async def _synthesize_start(self, event: Event) -> None:
        self._expect_nothing_open(event)
        synthesis = WyomingSynthesis(self._services, await self._plan(event), True, self._write)
        await self._begin(synthesis, "synthesize-start")

    async def _synthesize_chunk(self, event: Event) -> None:
        self._stream(event).push(requests.spoken_text(event))

    async def _synthesize_stop(self, event: Event) -> None:
        self._finish(self._stream(event))

    def _stream(self, event: Event) -> WyomingSynthesis:
        if not isinstance(self._open, WyomingSynthesis):
            raise BadRequest(f"{event.type} came without synthesize-start")
        return self._open

    async def _plan(self, event: Event) -> SpeechPlan:
        voice = requests.voice_request(event)
        return plan_for(voice, self._services, await asyncio.to_thread(self._installed, Kind.TTS))

    # --- requests ---

    def _installed(self, kind: Kind) -> Sequence[Model]:
        runtime = self._services.runtime
        return installed(runtime.catalog, runtime.config, kind, folder_in(runtime.config))

    def _expect_nothing_open(self, event: Event) -> None:
        if self._open is not None:
            end = "audio-stop" if isinstance(self._open, WyomingRecognition) else "synthesize-stop"
            raise BadRequest(f"{event.type} came before {end}")

    async def _begin(self, request: WyomingRecognition | WyomingSynthesis, what: str) -> None:
        """Answer a request once the one before is answered."""
        await self._settle()
        self._open = request
        self._running = self._tasks.create_task(self._answer(request, what))

    def _finish(self, request: WyomingRecognition | WyomingSynthesis) -> None:
        request.finish()
        self._open = None

    async def _settle(self) -> None:
        """Wait until the request under way is answered."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _answer(self, request: WyomingRecognition | WyomingSynthesis, what: str) -> None:
        record = RequestRecord(new_id(), self._services.config.log_transcripts)
        record.wire = "wyoming"
        outcome = "broken_off"
        self._services.traffic.streams += 1
        with recording(record), tracing.span(f"Wyoming {what}", {"speechmlx.request_id": record.id}) as span:
            record.trace_id = span.trace_id
            try:
                await request.run()
                outcome = "ok"
            except SpeechError as error:
                outcome = "refused" if isinstance(error, BadRequest) else "failed"
                record.failed(error.code)
                raise
            except asyncio.CancelledError:
                self._interrupted = True
                raise
            finally:
                self._services.traffic.streams -= 1
                self._log_line(what, outcome, record)
                if self._patience is not None and self._open is None:
                    self._patience.reschedule(asyncio.get_running_loop().time() + IDLE)

    def _log_line(self, what: str, outcome: str, record: RequestRecord) -> None:
        seconds = time.monotonic() - record.started
        said = f"Wyoming {what} {outcome.replace('_', ' ')}"
        fields: dict[str, Any] = {"event": "request", "client": self._client, "method": what, "outcome": outcome}
        fields |= {"duration_s": round(seconds, 4), **facts(record)}
        text = f"{self._client} {said}, {seconds:.3f} s{described(record)}"
        log.info("%s", said, extra={"text": text, "fields": fields})

    # --- the socket ---

    async def _write(self, events: Sequence[Event]) -> None:
        for event in events:
            await write_event(event, self._writer)

    async def _refuse(self, error: SpeechError, seconds: float = LINGER, reads_on: bool = True) -> None:
        """Say what was wrong, then read on for a while: a socket closed with unread data drops what was written."""
        with contextlib.suppress(OSError):
            async with asyncio.timeout(seconds):
                await self._write([Error(error.message, error.code).event()])
                self._writer.write_eof()
                while reads_on and await self._reader.read(65536):
                    pass

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(LINGER):
                await self._writer.wait_closed()
        except OSError:
            self._writer.transport.abort()
