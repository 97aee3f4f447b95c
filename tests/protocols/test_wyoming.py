"""Wyoming with its own client, unchanged: what Home Assistant and wyoming-faster-whisper's tests do, and faults."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlparse

import psutil
import pytest
from support import clips
from support.home_assistant import HomeAssistant
from support.scripted_conversation import LIVE_MODELS, SPEECH_RATE, tone, words
from support.word_errors import word_error_rate
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioChunkConverter, AudioStart, AudioStop, wav_to_chunks
from wyoming.client import AsyncClient
from wyoming.event import Event, async_read_event, async_write_event
from wyoming.info import Describe, Info
from wyoming.ping import Ping
from wyoming.tts import Synthesize, SynthesizeVoice

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

RATE = 16000
PATIENCE = 30.0
LONG = " ".join(["word"] * 40)


def home_assistant(server: Server) -> HomeAssistant:
    address = urlparse(server.wyoming)
    assert address.hostname is not None and address.port is not None
    return HomeAssistant(address.hostname, address.port)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[AsyncClient]:
    async with asyncio.timeout(PATIENCE), AsyncClient.from_uri(server.wyoming) as client:
        yield client


async def read_until(client: AsyncClient, kind: str) -> list[Event]:
    """The events up to the first of `kind`, or to the end of the connection."""
    events: list[Event] = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if event.type == kind:
            break
    return events


def microphone(seconds: float, rate: int = RATE) -> bytes:
    """A tone with silence around it, which the scripted models hear as a word for each 0.1 s; samples of 2 bytes."""
    return tone(0.3, 0.0, rate) + tone(seconds, rate=rate) + tone(0.3, 0.0, rate)


def pieces(data: bytes, size: int = 2048) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def engine_pid(server: Server) -> int:
    children = psutil.Process(server.process.pid).children()
    return next(child.pid for child in children if "speechmlx.runtime.worker.process" in child.cmdline())


def sessions(server: Server) -> float:
    """The live sessions of this wire, as /metrics tells."""
    with server.client() as client:
        found = re.search(r'speechmlx_wire_sessions{wire="wyoming"} ([\d.]+)', client.get("/metrics").text)
    return float(found[1]) if found else 0.0


async def no_sessions(server: Server) -> None:
    async with asyncio.timeout(PATIENCE):
        while sessions(server):
            await asyncio.sleep(0.05)


# --- Home Assistant ---


async def test_home_assistant_sets_the_service_up(listening: Server) -> None:
    home = home_assistant(listening)
    info = await home.info()
    assert len(info.asr) == len(info.tts) == 1
    assert info.asr[0].models[0].name == "talking-live" and "en" in await home.languages_heard()
    assert (await home.voices())["en"][0].name == "talking-tts"


async def test_home_assistant_hears(listening: Server) -> None:
    home = home_assistant(listening)
    assert await home.hear("en", pieces(microphone(0.7))) == words(0.7)
    assert await home.hear("en", [tone(1.0, 0.0, RATE)]) == ""
    assert await home.hear("en", []) == ""


async def test_home_assistant_is_told_of_a_language_that_is_not_there(listening: Server) -> None:
    assert await home_assistant(listening).hear("xh", pieces(microphone(0.7))) is None


async def test_home_assistant_speaks(listening: Server) -> None:
    home = home_assistant(listening)
    sound = await home.speak("turn on the light")
    assert sound is not None
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (SPEECH_RATE, 2, 1)
        assert file.getnframes() / SPEECH_RATE == pytest.approx(0.4)
    for silent in ("👍", "..."):
        sound = await home.speak(silent)
        assert sound is not None
        with wave.open(io.BytesIO(sound)) as file:
            assert file.getnframes() / SPEECH_RATE == pytest.approx(0.2) and not any(file.readframes(5000))
    assert await home.speak("turn on the light", "fail=1") is None


async def test_home_assistant_speaks_what_a_language_model_writes(listening: Server) -> None:
    home = home_assistant(listening)
    spoken = await home.speak_stream(["The light", " in the kitchen", " is on,", " and the", " door is shut."])
    assert spoken is not None
    format, audio = spoken
    assert (format.rate, format.width, format.channels) == (SPEECH_RATE, 2, 1)
    assert len(audio) / 2 / SPEECH_RATE == pytest.approx(1.1, abs=0.5)  # a word is 0.1 s; pauses are cut
    assert await home.speak_stream([]) == (format, b"")
    assert await home.speak_stream(["One. ", "Two."], "fail=0") is None


# --- the flow of wyoming-faster-whisper's and wyoming-piper's own tests ---


async def flow_of_wyoming_faster_whisper(server: Server, recording: BinaryIO) -> str:
    """What its test does: info, transcribe, a WAV file in chunks of 1024 samples; the text of the transcript."""
    address = urlparse(server.wyoming)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    await async_write_event(Describe().event(), writer)
    while (event := await async_read_event(reader)) is not None and not Info.is_type(event.type):
        pass
    assert event is not None and len(Info.from_event(event).asr) == 1
    await async_write_event(Transcribe().event(), writer)
    with wave.open(recording) as example:
        start = AudioStart(example.getframerate(), example.getsampwidth(), example.getnchannels())
        await async_write_event(start.event(), writer)
        for chunk in wav_to_chunks(example, 1024):
            await async_write_event(chunk.event(), writer)
    await async_write_event(AudioStop().event(), writer)
    while (event := await async_read_event(reader)) is not None and not Transcript.is_type(event.type):
        pass
    assert event is not None
    writer.write_eof()
    assert await async_read_event(reader) is None
    writer.close()
    return Transcript.from_event(event).text


async def test_the_flow_of_wyoming_faster_whispers_test(listening: Server) -> None:
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, RATE, 0, "NONE", "NONE"))
            writer.writeframes(microphone(0.5))
        file.seek(0)
        async with asyncio.timeout(PATIENCE):
            assert await flow_of_wyoming_faster_whisper(listening, file) == words(0.5)


async def test_the_flow_of_wyoming_pipers_test(listening: Server) -> None:
    """Info, then a synthesis whose format is that of audio-start, on one connection."""
    async with connected(listening) as client:
        await client.write_event(Describe().event())
        assert any(voice.installed for voice in Info.from_event((await read_until(client, "info"))[-1]).tts[0].voices)
        await client.write_event(Synthesize("This is a test.", SynthesizeVoice(name="talking-tts")).event())
        start, *chunks, stop = await read_until(client, "audio-stop")
    assert (AudioStart.is_type(start.type), AudioStop.is_type(stop.type)) == (True, True)
    assert {AudioChunk.from_event(chunk).rate for chunk in chunks} == {AudioStart.from_event(start).rate}
    assert b"".join(AudioChunk.from_event(chunk).audio for chunk in chunks) == tone(0.1) * 4


# --- audio ---


@pytest.mark.parametrize(("rate", "width", "channels"), [(8000, 2, 1), (48000, 2, 2), (44100, 3, 1), (16000, 4, 2)])
async def test_audio_of_any_format_is_heard(listening: Server, rate: int, width: int, channels: int) -> None:
    convert = AudioChunkConverter(rate, width, channels).convert
    async with connected(listening) as client:
        await client.write_event(AudioStart(rate, width, channels).event())
        for piece in pieces(microphone(0.5, rate)):
            await client.write_event(convert(AudioChunk(rate, 2, 1, piece)).event())
        await client.write_event(AudioStop().event())
        assert (await read_until(client, "transcript"))[-1].data["text"] == words(0.5)


async def test_words_come_before_the_audio_ends_and_join_to_the_transcript(listening: Server) -> None:
    async with connected(listening) as client:
        await client.write_event(AudioStart(RATE, 2, 1).event())
        audio = microphone(0.5) + tone(0.8, 0.0, RATE) + microphone(0.4)  # two turns
        for piece in pieces(audio):
            await client.write_event(AudioChunk(RATE, 2, 1, piece).event())
        early = await read_until(client, "transcript-chunk")
        await client.write_event(AudioStop().event())
        late = await read_until(client, "transcript")
    events = [*early, *late]
    chunks = [event.data["text"] for event in events if event.type == "transcript-chunk"]
    assert "".join(chunks) == events[-1].data["text"] == f"{words(0.5)} {words(0.4)}"
    assert (events[0].type, events[-2].type) == ("transcript-start", "transcript-stop")


# --- faults ---


@pytest.mark.parametrize(
    ("data", "words_"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "is no JSON"),
        (os.urandom(200).replace(b"\n", b"") + b"\n", "is no JSON"),
        (b"x" * 300_000, "longer than 65536 bytes"),
        (b'{"type": "audio-chunk", "payload_length": 99999999999}\n', "allowed is up to 4194304 bytes"),
        (b'{"type": "audio-chunk", "data_length": 2}\n[]', "is no JSON object"),
        (b'{"type": "audio-start", "data": {"rate": 16000, "width": 2, "channels": 99}}\n', "channels is 99"),
    ],
)
async def test_what_is_no_event_is_told_and_the_connection_ends(listening: Server, data: bytes, words_: str) -> None:
    address = urlparse(listening.wyoming)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    async with asyncio.timeout(PATIENCE):
        writer.write(data)
        event = await async_read_event(reader)
        assert event is not None and event.type == "error" and words_ in event.data["text"]
        assert await async_read_event(reader) is None
    writer.close()


async def test_a_client_that_vanishes_in_mid_audio_leaves_nothing_behind(listening: Server) -> None:
    address = urlparse(listening.wyoming)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    for piece in pieces(microphone(0.5)):
        await async_write_event(AudioChunk(RATE, 2, 1, piece).event(), writer)
    async with asyncio.timeout(PATIENCE):
        while not sessions(listening):
            await asyncio.sleep(0.02)
    writer.transport.abort()
    await no_sessions(listening)
    assert await home_assistant(listening).hear("en", pieces(microphone(0.5))) == words(0.5)


async def test_eight_clients_at_once(listening: Server) -> None:
    home = home_assistant(listening)
    heard = [home.hear("en", pieces(microphone(0.1 * n))) for n in range(2, 8)]
    spoken = [home.speak_stream(["Two ", "words."]), home.speak_stream(["And ", "three words."])]
    async with asyncio.timeout(PATIENCE):
        *texts, first, second = await asyncio.gather(*heard, *spoken)
    assert texts == [words(0.1 * n) for n in range(2, 8)]
    assert first is not None and second is not None and len(first[1]) < len(second[1])


async def test_the_end_of_the_engine_and_of_the_server(start_server: Start) -> None:
    """Recognition goes on in a new engine process. At the end a synthesis under way is finished, who waits is let go.

    A key for HTTP is none for Wyoming.
    """
    with start_server("--wyoming", "0", "--api-key", "secret", SPEECHMLX_MODELS=LIVE_MODELS) as server:
        with server.client() as http:
            assert http.get("/v1/models").status_code == 401
        async with connected(server) as client:
            for piece in pieces(microphone(0.6)[: RATE * 2 * 8 // 10]):
                await client.write_event(AudioChunk(RATE, 2, 1, piece).event())
            await read_until(client, "transcript-chunk")
            os.kill(engine_pid(server), signal.SIGKILL)
            await client.write_event(AudioChunk(RATE, 2, 1, tone(0.4, rate=RATE)).event())
            await client.write_event(AudioStop().event())
            transcript = (await read_until(client, "transcript"))[-1]
            assert transcript.type == "transcript", transcript
            assert len(transcript.data["text"].split()) in range(8, 11), transcript  # of 9; a word may be cut in two
        async with connected(server) as idle, connected(server) as busy:
            await idle.write_event(Ping().event())
            await idle.read_event()
            await busy.write_event(Synthesize(LONG, SynthesizeVoice(name="work=0.02")).event())
            first = await read_until(busy, "audio-chunk")
            server.process.send_signal(signal.SIGTERM)
            rest = await read_until(busy, "audio-stop")
            assert await idle.read_event() is None
            assert await busy.read_event() is None
        sound = b"".join(event.payload or b"" for event in [*first, *rest])
        assert rest[-1].type == "audio-stop" and len(sound) / 2 / SPEECH_RATE == pytest.approx(4.0)
        await asyncio.to_thread(server.process.wait, 10)
        assert server.process.returncode == 0


# --- real models ---


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_home_assistant_with_the_starter_models(starter: Server) -> None:
    home = home_assistant(starter)
    assert {"en-US", "en-GB"} <= set(await home.voices())
    text = "Turn on the living room lamp."
    spoken = await home.speak_stream(["Turn on the ", "living room ", "lamp."], "bf_emma")
    assert spoken is not None
    format, audio = spoken
    convert = AudioChunkConverter(RATE, 2, 1).convert
    recording = convert(AudioChunk(format.rate, format.width, format.channels, audio)).audio
    heard = await home.hear("en", pieces(bytes(RATE) + recording + bytes(RATE)))
    assert heard is not None and word_error_rate(text, heard) <= 0.2, heard


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_flow_of_wyoming_faster_whispers_test_with_a_recording(starter: Server) -> None:
    path = await asyncio.to_thread(clips.path, "jfk")
    with path.open("rb") as recording:
        text = await flow_of_wyoming_faster_whisper(starter, recording)
    assert word_error_rate(clips.CLIPS["jfk"].words, text) <= 0.1, text
