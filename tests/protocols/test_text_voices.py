"""Deepgram's WebSocket /v1/speak and Wyoming with a voice that takes text while it is written: one job for a text."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from protocols.conftest import Server, serve
from support.cut_proxy import cut_proxy
from support.resuming import Line
from support.scripted_conversation import LIVE_MODELS, SPEECH_RATE
from websockets.asyncio.client import ClientConnection, connect
from wyoming.audio import AudioChunk
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.tts import SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeVoice

MODEL = "talking-text"
WORD = SPEECH_RATE // 10 * 2
"""Bytes of a word."""
SENTENCE = [f"word{number:02} " for number in range(20)]
"""Words without the end of their sentence."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = LIVE_MODELS.replace("tts=talking-tts", f"tts={MODEL}")
    with serve(tmp_path_factory.mktemp("text-voices"), "--wyoming", "0", SPEECHMLX_MODELS=models) as server:
        yield server


def metrics(server: Server) -> str:
    with server.client() as client:
        return client.get("/metrics").text


def jobs(server: Server) -> dict[str, int]:
    """The jobs of the voice that are over, by outcome, without the loading of it."""
    found = re.findall(rf'jobs_total{{model="{MODEL}",outcome="(\w+)"}} (\S+)', metrics(server))
    return {name: int(float(number)) for name, number in found}


async def jobs_before(server: Server) -> dict[str, int]:
    """The jobs that are over, once no other runs: a job ends after its last sound."""
    async with asyncio.timeout(20):
        while "speechmlx_jobs_running 0.0" not in metrics(server):
            await asyncio.sleep(0.02)
    return jobs(server)


async def until_jobs(server: Server, **expected: int) -> None:
    """Wait until so many jobs are over."""
    found = jobs(server)
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while (found := jobs(server)) != expected:
                await asyncio.sleep(0.02)
    assert found == expected


def more(before: dict[str, int], **outcomes: int) -> dict[str, int]:
    return {**before, **{name: before.get(name, 0) + number for name, number in outcomes.items()}}


# --- Deepgram ---


@asynccontextmanager
async def speaking(server: Server, query: str = "") -> AsyncIterator[ClientConnection]:
    """A socket whose model is loaded."""
    address = f"{server.url.replace('http', 'ws')}/v1/speak?{query}"
    async with asyncio.timeout(60), connect(address, proxy=None) as socket:
        assert json.loads(await socket.recv())["type"] == "Metadata"
        await send(socket, "Speak", text="Hello.")
        await send(socket, "Flush")
        await until(socket, "Flushed")
        yield socket


async def send(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


async def until(socket: ClientConnection, kind: str) -> tuple[int, list[dict[str, Any]]]:
    """Bytes of sound, and the messages, up to the first of `kind`."""
    size, told = 0, list[dict[str, Any]]()
    while not told or told[-1]["type"] != kind:
        message = await socket.recv()
        if isinstance(message, bytes):
            size += len(message)
        else:
            told.append(json.loads(message))
    return size, told


async def test_a_sentence_sounds_before_its_end_is_written_and_a_text_is_one_job(server: Server) -> None:
    async with speaking(server) as socket:
        before = await jobs_before(server)
        for word in SENTENCE:
            await send(socket, "Speak", text=word)
        early = await socket.recv()
        assert isinstance(early, bytes)
        await send(socket, "Speak", text="and so on. Then another sentence, and a third one. ")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert told == [{"type": "Flushed", "sequence_id": 1}] and len(early) + size == (20 + 3 + 7) * WORD
        await until_jobs(server, **more(before, ok=1))
        await send(socket, "Speak", text="The end")
        await send(socket, "Close")
        assert sum([len(message) async for message in socket]) == 2 * WORD and socket.close_code == 1000
        await until_jobs(server, **more(before, ok=2))


async def test_clear_stops_the_job_and_a_new_one_has_what_comes_next(server: Server) -> None:
    async with speaking(server, "model=work=0.05") as socket:
        before = await jobs_before(server)
        await send(socket, "Speak", text="word " * 200)
        await send(socket, "Flush")
        assert isinstance(await socket.recv(), bytes)
        await send(socket, "Clear")
        size, told = await until(socket, "Cleared")
        assert size < 150 * WORD and [one["type"] for one in told] == ["Cleared"]
        await until_jobs(server, **more(before, cancelled=1))
        await send(socket, "Speak", text="Here I am.")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert size == 3 * WORD and told == [{"type": "Flushed", "sequence_id": 2}]


async def test_what_cannot_be_spoken_is_a_warning_and_the_rest_is_spoken(server: Server) -> None:
    async with speaking(server) as socket:
        await send(socket, "Speak", text="The first sentence is fine. Then comes a mute")
        await send(socket, "Speak", text=" one with more words. And one more sentence is good. ")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert [one["type"] for one in told] == ["Warning", "Flushed"]
        assert told[0]["code"] == "TEXT_NOT_SPOKEN" and "nothing in the text can be said: 'mute'" in told[0]["warn_msg"]
        assert (5 + 6) * WORD <= size <= (5 + 3 + 6) * WORD  # the words before "mute" may be heard
        await send(socket, "Speak", text="Wait[pause:11s]a while.")
        await send(socket, "Flush")
        size, told = await until(socket, "Flushed")
        assert "a pause has 10 s at most" in told[0]["description"] and size == 3 * WORD + 10 * 10 * WORD


async def test_a_voice_that_fails_is_an_error_and_the_end(server: Server) -> None:
    address = f"{server.url.replace('http', 'ws')}/v1/speak?model=fail=3"
    async with asyncio.timeout(60), connect(address, proxy=None) as socket:
        await send(socket, "Speak", text="".join(SENTENCE))
        size, told = await until(socket, "Error")
        assert size <= 3 * WORD and "scripted to fail at step 3" in told[-1]["description"]
        await socket.wait_closed()
    assert socket.close_code == 1011 and str(socket.close_reason).startswith("NET-0000")


async def test_a_client_that_leaves_frees_the_voice(server: Server) -> None:
    async with speaking(server, "model=work=0.05") as socket:
        before = await jobs_before(server)
        await send(socket, "Speak", text="word " * 200)
        assert isinstance(await socket.recv(), bytes)
    await until_jobs(server, **more(before, cancelled=1))
    assert server.health()["engine"] == "ok"


async def test_speech_goes_on_to_the_byte_after_the_connection_broke(server: Server) -> None:
    async with asyncio.timeout(60), cut_proxy(server.url) as proxy:
        line = Line(proxy.url, "/v1/speak?encoding=linear16&sample_rate=24000")
        await line.open()
        assert json.loads(await line.recv())["type"] == "Metadata"
        await line.send(json.dumps({"type": "Speak", "text": "".join(SENTENCE)}))
        while not isinstance(await line.recv(), bytes):
            pass
        proxy.swallow()
        await line.send(json.dumps({"type": "Speak", "text": "and so on."}))
        await line.send(json.dumps({"type": "Flush"}))
        proxy.cut()
        await line.come_back()
        while not (isinstance(message := await line.recv(), str) and "Flushed" in message):
            pass
        assert sum(len(message) for message in line.received if isinstance(message, bytes)) == 23 * WORD
        await line.close()


# --- Wyoming ---


class Synthesis:
    """One streamed synthesis."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.chunks: list[AudioChunk] = []

    async def write(self, *pieces: str) -> None:
        for piece in pieces:
            await self.client.write_event(SynthesizeChunk(piece).event())

    async def until(self, kind: str) -> Event:
        while (event := await self.client.read_event()) is not None:
            if AudioChunk.is_type(event.type):
                self.chunks.append(AudioChunk.from_event(event))
            if event.type == kind:
                return event
        raise AssertionError(f"the connection ended before {kind}")

    @property
    def size(self) -> int:
        return sum(len(chunk.audio) for chunk in self.chunks)


@asynccontextmanager
async def synthesising(server: Server, voice: str | None = None) -> AsyncIterator[Synthesis]:
    chosen = None if voice is None else SynthesizeVoice(name=voice)
    async with asyncio.timeout(30), AsyncClient.from_uri(server.wyoming) as client:
        await client.write_event(SynthesizeStart(voice=chosen).event())
        yield Synthesis(client)


async def test_wyoming_s_chunks_are_one_job_whose_sound_begins_before_its_text_ends(server: Server) -> None:
    before = await jobs_before(server)
    async with synthesising(server) as synthesis:
        await synthesis.write(*SENTENCE)
        await synthesis.until("audio-chunk")
        await synthesis.write("and so on. Then ", "another sentence, and a third one.")
        await synthesis.client.write_event(SynthesizeStop().event())
        stop = await synthesis.until("audio-stop")
        await synthesis.until("synthesize-stopped")
    assert synthesis.size == 30 * WORD and stop.data["timestamp"] == 3000
    assert [chunk.timestamp for chunk in synthesis.chunks] == [100 * number for number in range(30)]
    await until_jobs(server, **more(before, ok=1))


async def test_a_sentence_that_cannot_be_spoken_is_silent_and_a_text_of_such_alone_an_error(server: Server) -> None:
    async with synthesising(server) as synthesis:
        await synthesis.write("A mute", " sentence, which is not said. But this ", "one is said.")
        await synthesis.client.write_event(SynthesizeStop().event())
        await synthesis.until("synthesize-stopped")
        assert 5 * WORD <= synthesis.size <= 6 * WORD
    async with synthesising(server) as synthesis:
        await synthesis.write("mute")
        await synthesis.client.write_event(SynthesizeStop().event())
        refused = Error.from_event(await synthesis.until("error"))
    assert "nothing in the text can be said: 'mute'" in refused.text and refused.code == "bad_request"


async def test_a_blank_text_is_audio_without_chunks(server: Server) -> None:
    async with synthesising(server) as synthesis:
        await synthesis.client.write_event(SynthesizeStop().event())
        await synthesis.until("synthesize-stopped")
        assert synthesis.chunks == []


async def test_a_client_of_wyoming_that_vanishes_frees_the_voice(server: Server) -> None:
    before = await jobs_before(server)
    async with synthesising(server, "work=0.05") as synthesis:
        await synthesis.write("word " * 200)
        await synthesis.until("audio-chunk")
    await until_jobs(server, **more(before, cancelled=1))
