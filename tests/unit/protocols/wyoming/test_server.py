"""The server and its connections on real sockets, with engines that follow a function: limits, order and ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeJob, Step, row
from support.scripted_input import ScriptedInput
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, SelectProgram
from wyoming.ping import Ping
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop

from speechmlx.config import Config
from speechmlx.errors import EngineFailed, TemporaryFailure
from speechmlx.models.licences import Licences
from speechmlx.models.spec import Catalog
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.wyoming import connection, framing, server
from speechmlx.protocols.wyoming.server import WyomingServer
from speechmlx.runtime.front.metrics import Metrics
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, DetectSpeech, Kind, Listen, Request, Speak

HERE = "support.fake_engines:row"
"""A row that can run needs an engine that is there."""
ROWS = tuple(
    row(kind, engine=HERE, rate=24000 if kind is Kind.TTS else 16000) for kind in (Kind.ASR, Kind.TTS, Kind.VAD)
)
SHORT = AudioChunk(16000, 2, 1, b"ab").event()
SOUND = Chunk(b"\x00\x10" * 2400, 24000)


class FakeRuntime(ScriptedInput):
    """Scripted recognition, synthesis as `run` says, and what of a runtime the server reads besides."""

    def __init__(self, config: Config, run: Callable[[Any], Iterable[Step]]) -> None:
        super().__init__()
        self.config = config
        self.catalog = Catalog(ROWS, {"starter": {row.kind: row.name for row in ROWS}})
        self.metrics = Metrics()
        self.licences = Licences(config)
        self.drained = asyncio.Event()
        self.refusal = WorkRefusal()
        self.spoken: list[FakeJob] = []
        self._run = run

    def submit(self, request: Request) -> Any:
        if not isinstance(request, Speak):
            return super().submit(request)
        self.spoken.append(FakeJob(request, self._run(request)))
        return self.spoken[-1]

    @property
    def texts(self) -> list[str]:
        return [job.request.text for job in self.spoken if isinstance(job.request, Speak)]


@dataclass(frozen=True)
class Running:
    services: Services
    runtime: FakeRuntime
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncTcpClient]:
        async with asyncio.timeout(20), AsyncTcpClient("127.0.0.1", self.port) as client:
            yield client


@pytest.fixture
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    """A server; the marker's parameter is the function of its engines."""
    config = Config(cache=tmp_path, profile="starter", max_text_bytes=100)
    runtime = FakeRuntime(config, getattr(request, "param", speaks))
    base = build_services(config, Runtime(config, runtime.catalog))
    services = replace(base, runtime=runtime)  # type: ignore[arg-type]
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    async with WyomingServer(services, listener):
        yield Running(services, runtime, listener.getsockname()[1])


def speaks(request: Speak) -> Iterable[Step]:
    """A sound."""
    return (SOUND,)


def fails(request: Speak) -> Iterable[Step]:
    """A sound, then an accident."""
    return (SOUND, ZeroDivisionError())


def never_ends(request: Speak) -> Iterable[Step]:
    """Sound for ever."""
    while True:
        yield SOUND
        yield 0.0


async def rest(client: AsyncTcpClient) -> list[Event]:
    """What comes until the connection ends."""
    events = []
    while (event := await client.read_event()) is not None:
        events.append(event)
    return events


async def until(client: AsyncTcpClient, kind: str) -> list[Event]:
    """What comes up to the first event of `kind`."""
    events: list[Event] = []
    while not events or events[-1].type != kind:
        event = await client.read_event()
        assert event is not None, [event.type for event in events]
        events.append(event)
    return events


async def chunk(client: AsyncTcpClient, size: int = 640) -> None:
    await client.write_event(AudioChunk(16000, 2, 1, bytes(size)).event())


async def test_ping_and_describe_again_and_again(running: Running) -> None:
    async with running.client() as client:
        for text in ("a", "b"):
            await client.write_event(Ping(text).event())
            assert await client.read_event() == Event("pong", {"text": text})
            await client.write_event(Describe().event())
            assert (await client.read_event() or Event("")).type == "info"


async def test_unknown_events_are_dropped(running: Running) -> None:
    async with running.client() as client:
        await client.write_event(Event("run-pipeline", {"x": 1}, b"payload"))
        await client.write_event(SelectProgram("speechmlx").event())
        await client.write_event(Ping().event())
        assert (await client.read_event() or Event("")).type == "pong"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([SelectProgram("piper").event()], "there is no program 'piper'"),
        ([SynthesizeChunk("x").event()], "synthesize-chunk came without synthesize-start"),
        ([SynthesizeStop().event()], "synthesize-stop came without synthesize-start"),
        ([SynthesizeStart().event(), SynthesizeStart().event()], "synthesize-start came before synthesize-stop"),
        ([SynthesizeStart().event(), AudioStop().event()], "audio-stop came before synthesize-stop"),
        ([SynthesizeStart().event(), SynthesizeChunk("x" * 101).event()], "longer than 100 bytes"),
        (
            [AudioChunk(16000, 2, 1, b"ab").event(), AudioStart(16000, 2, 1).event()],
            "audio-start came before audio-stop",
        ),
        ([AudioChunk(16000, 2, 1, b"ab").event(), Synthesize("x").event()], "synthesize came before audio-stop"),
        ([AudioStart(16000, 9, 1).event()], "width is 9"),
        ([Event("transcribe", {"name": "ears"})], "there is no model 'ears'"),
    ],
)
async def test_what_cannot_be_is_said_and_ends_the_connection(
    running: Running, events: list[Event], words: str
) -> None:
    async with running.client() as client:
        for event in events:
            await client.write_event(event)
        told = await rest(client)
    assert told[-1].type == "error" and words in told[-1].data["text"]
    assert running.services.traffic.requests == 0 and running.runtime.metrics.sessions == 0


async def test_requests_are_answered_in_their_order(running: Running) -> None:
    async with running.client() as client:
        for text in ("one", "two"):
            await client.write_event(Synthesize(text).event())
        await client.write_event(AudioStop().event())
        kinds = [(await client.read_event() or Event("")).type for _ in range(9)]
    spoken = ["audio-start", "audio-chunk", "audio-stop"]
    assert kinds == [*spoken, *spoken, "transcript-start", "transcript-stop", "transcript"]
    assert running.runtime.texts == ["one", "two"]


async def test_a_text_that_comes_in_chunks_is_spoken_by_clauses_and_its_copy_is_ignored(running: Running) -> None:
    async with running.client() as client:
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk("Good morning,").event())
        first = [(await client.read_event() or Event("")).type for _ in range(2)]  # before the text is complete
        for text in (" everybody. ", "👍", " How are you?"):
            await client.write_event(SynthesizeChunk(text).event())
        await client.write_event(Synthesize("Good morning, everybody. 👍 How are you?").event())
        await client.write_event(SynthesizeStop().event())
        kinds = [*first, *(event.type for event in await until(client, "synthesize-stopped"))]
    assert kinds[:2] == ["audio-start", "audio-chunk"] and kinds[-2:] == ["audio-stop", "synthesize-stopped"]
    assert " ".join(running.runtime.texts).replace(" 👍", "") == "Good morning, everybody. How are you?"


async def test_a_client_that_only_stops_sending_is_answered(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    await framing.write_event(SynthesizeStart().event(), writer)
    await framing.write_event(SynthesizeChunk("Half a text").event(), writer)
    writer.write_eof()
    kinds = []
    while (event := await framing.read_event(reader)) is not None:
        kinds.append(event.type)
    writer.close()
    assert kinds == ["audio-start", "audio-chunk", "audio-stop", "synthesize-stopped"]


@pytest.mark.parametrize("running", [fails], indirect=True)
async def test_an_accident_is_an_error_and_the_server_goes_on(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with running.client() as client:
            await client.write_event(Synthesize("text").event())
            told = await rest(client)
        assert [event.type for event in told] == ["audio-start", "audio-chunk", "error"]
        assert told[-1].data == {"text": "the server failed on this request; its log has more", "code": "engine_failed"}
    assert sum(record.exc_info is not None for record in caplog.records) == 2


@pytest.mark.parametrize("running", [fails], indirect=True)
async def test_an_accident_for_want_of_the_server_s_files_is_said_so(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.runtime.refusal.give(TemporaryFailure("the files are gone"))
    async with running.client() as client:
        await client.write_event(Synthesize("text").event())
        told = await rest(client)
    assert told[-1].data == {"text": "the files are gone", "code": "engine_lost"}
    assert not any(record.exc_info for record in caplog.records)
    assert caplog.messages[-1] == "127.0.0.1 Wyoming failed, and this server can do no more work: "


@pytest.mark.parametrize("running", [never_ends], indirect=True)
async def test_a_client_that_leaves_or_does_not_read_ends_its_job(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "DEPARTURE", 0.05)
    async with running.client() as client:
        await client.write_event(Synthesize("text").event())
        assert (await client.read_event() or Event("")).type == "audio-start"
    unread, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1)
    await framing.write_event(Synthesize("text").event(), writer)
    async with asyncio.timeout(10):
        while len(running.runtime.spoken) < 2 or not all(job.left for job in running.runtime.spoken):
            await asyncio.sleep(0.01)
    assert unread.at_eof() is False and running.runtime.metrics.sessions == 0
    writer.close()


async def test_audio_that_stays_away_is_an_error_and_silence_between_requests_an_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALL", 0.05)
    monkeypatch.setattr(connection, "IDLE", 0.2)
    async with running.client() as client:
        await chunk(client)
        told = await rest(client)
        assert [event.data["text"] for event in told] == ["neither audio nor audio-stop came for 0.05 s"]
    async with running.client() as client:
        await client.write_event(Synthesize("text").event())
        assert [event.type for event in await rest(client)] == ["audio-start", "audio-chunk", "audio-stop"]


async def test_a_session_needs_a_place(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechmlx.protocols.session_limit.LEAVING", 0.02)
    async with running.client() as first:
        for _ in range(running.services.sessions.limit):
            await running.services.sessions._free.acquire()
        await first.write_event(Synthesize("text").event())
        told = await rest(first)
    assert [(event.type, event.data["code"]) for event in told] == [("error", "busy")]


async def test_so_many_connections_and_no_more(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)
    async with running.client() as first:
        await first.write_event(Ping().event())
        assert await first.read_event() is not None
        async with running.client() as second:
            told = await rest(second)
    assert told[0].data == {"text": "1 clients are connected, which is the limit; try again later", "code": "busy"}


@pytest.mark.parametrize("running", [never_ends], indirect=True)
async def test_a_drained_server_says_so_and_listens_no_more(running: Running) -> None:
    async with running.client() as idle, running.client() as busy:
        await idle.write_event(Ping().event())
        await idle.read_event()
        await busy.write_event(Synthesize("text").event())
        await busy.read_event()
        assert running.services.traffic.requests == 1
        running.runtime.drained.set()
        assert (await rest(busy))[-1].data["code"] == "draining"
        assert await rest(idle) == []
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", running.port)


def speech(seconds: float, level: int = 10000) -> bytes:
    """What the scripted models take as speech, or as silence at level 0; samples of 2 bytes at 16 kHz."""
    return np.full(round(seconds * 16000), level, "<i2").tobytes()


async def test_words_come_while_a_person_speaks(running: Running) -> None:
    async with running.client() as client:
        await client.write_event(
            Transcribe(language="en", transcript_names=["Anna"], transcript_terms=["oven"]).event()
        )
        await client.write_event(AudioStart(16000, 2, 1).event())
        await client.write_event(AudioChunk(16000, 2, 1, speech(0.5, 0) + speech(2.0)).event())
        live = [await client.read_event() or Event("") for _ in range(2)]
        assert live[0].type == "transcript-start" and live[1] == Event("transcript-chunk", {"text": "w1"})
        await client.write_event(AudioStop().event())
        events = await until(client, "transcript")
        await client.write_event(AudioStop().event())  # no audio at all, and the language is not that of before
        empty = await until(client, "transcript")
    chunks = "".join(event.data["text"] for event in (live[1], *events[:-2]))
    assert [event.type for event in events[-2:]] == ["transcript-stop", "transcript"]
    assert events[-1].data == {"text": chunks, "language": "en"} and chunks.startswith("w1 w2 w3")
    assert empty[-1] == Event("transcript", {"text": ""})
    (listen,) = running.runtime.requests(Listen)
    assert (listen.model, listen.language, listen.hotwords) == ("fake-asr", "en", ("Anna", "oven"))
    metrics = running.runtime.metrics
    assert metrics.live_audio["wyoming"] == pytest.approx(2.5) and metrics.live_words["wyoming"] == len(chunks.split())
    assert metrics.wire_sessions["wyoming"] == 0 and running.runtime.open_jobs == 0


async def test_audio_that_ends_with_the_connection_is_transcribed(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    await framing.write_event(AudioChunk(16000, 2, 1, speech(1.0)).event(), writer)
    writer.write_eof()
    events = []
    while (event := await framing.read_event(reader)) is not None:
        events.append(event)
    writer.close()
    assert events[-1].type == "transcript" and events[-1].data["text"].startswith("w1")


async def test_a_detector_that_is_lost_is_an_error_unless_words_come_after_it(running: Running) -> None:
    for words, kind in ((0.0, "error"), (1.0, "transcript")):
        async with running.client() as client:
            await client.write_event(AudioChunk(16000, 2, 1, speech(0.5, 0)).event())
            async with asyncio.timeout(10):
                while not any(isinstance(job.request, DetectSpeech) and not job.ended for job in running.runtime.jobs):
                    await asyncio.sleep(0.01)
            running.runtime.lose(DetectSpeech, retry_after=5.0)
            await client.write_event(AudioChunk(16000, 2, 1, speech(words)).event())
            await client.write_event(AudioStop().event())
            told = await until(client, kind)
        assert told[-1].data.get("code") == ("engine_lost" if kind == "error" else None)
        assert bool(told[-1].data["text"])


async def test_a_recogniser_that_fails_is_an_error(running: Running) -> None:
    running.runtime.fails[Kind.ASR] = EngineFailed("out of order")
    async with running.client() as client:
        await client.write_event(AudioChunk(16000, 2, 1, speech(1.0)).event())
        await client.write_event(AudioStop().event())
        told = await rest(client)
    assert told[-1] == Event("error", {"text": "out of order", "code": "engine_failed"})
