"""WhisperLive on the WebSocket /: both clients of whisper-live as they are, every option, limits, keys, metrics."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import warnings
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from protocols.conftest import serve
from support import pyaudio_stub
from support.asr_client import AsrClient
from support.chat_server import chat_server
from support.scripted_conversation import LIVE_MODELS, tone, words
from support.whisperlive_reader import WhisperLiveReader, text_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from speechmlx.protocols.whisperlive.connection import minutes_to_wait

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

RATE = 16000
TWO_TURNS = tone(1.2, rate=RATE) + tone(0.8, 0, RATE) + tone(0.7, rate=RATE)
"""The second one ends with the audio, in mid-speech."""
SAID = f"{words(1.2)} {words(0.7)}"


def reply(system: str, text: str) -> str:
    """A translation: the text in capital letters."""
    return text.upper()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a door of the wire's own, a language model elsewhere, and turns that end when audio is missing."""
    with chat_server(reply) as url:
        flags = ("--llm-url", url)
        environment: Any = {"PORT_WHISPERLIVE": "0", "SPEECHMLX_AUDIO_TIMEOUT": "0.4"}
        with serve(tmp_path_factory.mktemp("live"), *flags, SPEECHMLX_MODELS=LIVE_MODELS, **environment) as server:
            yield server


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key and has one place."""
    flags = ("--api-key", "secret", "--max-sessions", "1")
    with serve(tmp_path_factory.mktemp("limited"), *flags, SPEECHMLX_MODELS=LIVE_MODELS) as server:
        yield server


@pytest.fixture
def stock() -> Iterator[Any]:
    """The module of the clients, unchanged; the sound card that it wants is a stub."""
    sys.modules.setdefault("pyaudio", pyaudio_stub)
    from whisper_live import client

    yield client
    client.Client.INSTANCES.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the clients leave their sockets to the collector
        gc.collect()


def door(server: Server) -> int:
    """The port of the wire's own door."""
    found = re.search(r"Also on http://127.0.0.1:(\d+) for whisperlive", server.log.read_text())
    assert found is not None
    return int(found[1])


@asynccontextmanager
async def opened(server: Server, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """A connection whose options are sent."""
    async with asyncio.timeout(30), connect(f"{server.url.replace('http', 'ws')}/{query}", proxy=None) as ws:
        await ws.send(json.dumps({"uid": "u", **options}))
        yield ws


async def until_closed(ws: ClientConnection) -> tuple[WhisperLiveReader, int]:
    """What the server says up to the end, and the code that it closes with."""
    reader = WhisperLiveReader("u")
    try:
        while True:
            message = await ws.recv()
            assert isinstance(message, str)
            reader.read(message)
    except ConnectionClosed as end:
        return reader, end.rcvd.code if end.rcvd else 1006


async def code_of(ws: ClientConnection) -> int:
    """The code that the server closes with, whatever it says before."""
    await ws.wait_closed()
    assert ws.close_code is not None
    return ws.close_code


async def heard(server: Server, audio: bytes, **options: Any) -> WhisperLiveReader:
    """What a client has that sends `audio` and its end."""
    async with opened(server, **options) as ws:
        for start in range(0, len(audio), 6000):
            await ws.send(audio[start : start + 6000])
        await ws.send(b"END_OF_AUDIO")
        reader, code = await until_closed(ws)
    assert code == 1000
    return reader


# --- the clients as they are ---


def test_the_recording_client(live: Server, stock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when nothing new comes, before it says so: the last words must be there by then."""
    monkeypatch.chdir(tmp_path)
    with wave.open("recording.wav", "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes(TWO_TURNS)
    client = stock.TranscriptionClient(
        "127.0.0.1", door(live), lang="en", model="whisper-1", use_vad=False, mute_audio_playback=True,
        log_transcription=False, enable_translation=True, target_language="de",
    )  # fmt: skip
    client.client.disconnect_if_no_response_for = 3
    assert client("recording.wav") == SAID
    subtitles = [line for line in Path("output.srt").read_text().splitlines() if line and not re.match(r"[\d:]", line)]
    assert [line.strip() for line in subtitles] == [words(1.2), words(0.7)]
    assert text_of(client.client.translated_transcript) == SAID.upper()


@pytest.mark.parametrize("mode", ["full", "diff"])
async def test_lines_of_asr_are_translated_too(live: Server, mode: str) -> None:
    client = AsrClient()
    url = f"{live.url.replace('http', 'ws')}/asr?target_language=de&mode={mode}"
    async with connect(url, proxy=None) as ws, asyncio.timeout(30):
        for message in (TWO_TURNS, b""):
            await ws.send(message)
        while not client.is_ready:
            client.take(str(await ws.recv()))
    found = [(line["text"], line["translation"]) for line in client.lines]
    assert found == [(words(1.2), words(1.2).upper()), (words(0.7), words(0.7).upper())]


def test_the_streaming_client(live: Server, stock: Any) -> None:
    """It says that the audio is over, then waits for the server to close."""
    committed: list[str] = []
    partial: list[str] = []
    closed: list[bool] = []
    with stock.StreamingTranscriptionClient(
        "127.0.0.1", door(live), lang="en", model="whisper-1",
        on_committed_transcript=lambda text, segments: committed.append(text),
        on_partial_transcript=lambda text, segments: partial.append(text),
        on_close=lambda: closed.append(True),
    ) as client:  # fmt: skip
        for start in range(0, len(TWO_TURNS), 3200):
            client.send(TWO_TURNS[start : start + 3200])
    assert committed == [words(1.2), words(0.7)] == [segment["text"].strip() for segment in client.transcript]
    assert partial and closed


# --- messages ---


@pytest.mark.parametrize("format", ["float32", "int16", "uint8"])
async def test_every_format_of_audio_on_every_port(live: Server, format: str) -> None:
    samples = tone(0.6, rate=RATE)
    if format == "uint8":
        samples = bytes(byte ^ 0x80 for byte in samples[1::2])
    elif format == "float32":
        import numpy as np

        samples = (np.frombuffer(samples, "<i2") / np.float32(32768)).astype("<f4").tobytes()
    reader = await heard(live, samples, audio_format=format, language="en", word_timestamps=True)
    assert text_of(reader.committed) == words(0.6)
    assert reader.messages[0] == {"uid": "u", "message": "SERVER_READY", "backend": "faster_whisper"}
    (segment,) = reader.committed
    assert (segment["start"], segment["end"]) == ("0.000", "0.600")
    assert [word["word"] for word in segment["words"]] == [f" {word}" for word in words(0.6).split()]


async def test_the_last_words_come_when_the_audio_pauses(live: Server) -> None:
    async with opened(live, audio_format="int16") as ws:
        for start in range(0, len(TWO_TURNS), 6000):
            await ws.send(TWO_TURNS[start : start + 6000])
        reader = WhisperLiveReader("u")
        while text_of(reader.committed) != SAID:
            message = await ws.recv()
            assert isinstance(message, str)
            reader.read(message)


async def test_options_that_the_server_cannot_do_are_warned_of(live: Server) -> None:
    asked = {"model": "no-such", "enable_diarization": True, "hotwords": "Ljubljana", "initial_prompt": "Names."}
    reader = await heard(live, tone(0.3, rate=RATE), audio_format="int16", **asked)
    warnings = [message["message"] for message in reader.messages if message.get("status") == "WARNING"]
    assert "no model 'no-such'" in warnings[0] and "talking-live is used instead" in warnings[0]
    assert text_of(reader.committed) == words(0.3)


@pytest.mark.parametrize(
    ("first", "uid", "says"),
    [
        ("hello", None, "the first message is not JSON"),
        ("{}", None, "'uid' must be a string"),
        ('{"uid": "u", "task": "sing"}', "u", "'task' must be one of transcribe, translate"),
        ('{"uid": "u", "audio_format": "mp3"}', "u", "'audio_format' must be one of float32, int16, uint8"),
        ('{"uid": "u", "language": "bg"}', "u", "language 'bg' is not known to talking-live"),
        ('{"uid": "u", "task": "translate"}', "u", "talking-live knows one language only and cannot translate"),
    ],
)
async def test_bad_options_are_an_error_and_the_end(live: Server, first: str, uid: str | None, says: str) -> None:
    async with connect(live.url.replace("http", "ws"), proxy=None) as ws, asyncio.timeout(20):
        await ws.send(first)
        told = json.loads(await ws.recv())
        assert (told["uid"], told["status"]) == (uid, "ERROR") and says in told["message"]
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


async def test_a_full_server_says_how_long_to_wait(limited: Server) -> None:
    async with opened(limited, "?token=secret") as first:
        assert "SERVER_READY" in str(await first.recv())
        async with opened(limited, "?token=secret") as second:
            reader, code = await until_closed(second)
        (wait,) = reader.messages
        assert (wait["status"], code) == ("WAIT", 1000) and 9 < wait["message"] <= 10
    page = await asyncio.to_thread(httpx.get, f"{limited.url}/metrics?token=secret", trust_env=False)
    assert 'whisperlive_connections_rejected_total{reason="full"} 1.0' in page.text


def test_the_oldest_connection_ends_first() -> None:
    assert minutes_to_wait({100.0, 400.0}, 460.0) == 4.0
    assert minutes_to_wait({0.0}, 1000.0) == 0.0
    assert minutes_to_wait(set(), 5.0) == 10.0


async def test_keys(limited: Server) -> None:
    url = limited.url.replace("http", "ws")
    for refused in ({}, {"subprotocols": ["bearer", "wrong"]}):
        with pytest.raises(InvalidStatus) as denied:
            await connect(url, proxy=None, **refused)  # type: ignore[arg-type]
        assert denied.value.response.status_code == 401
    for address, options in (
        (url, {"additional_headers": {"Authorization": "Bearer secret"}}),
        (f"{url}/?token=secret", {}),
        (url, {"subprotocols": ["bearer", "secret"]}),
    ):
        async with connect(address, proxy=None, **options) as ws, asyncio.timeout(20):
            assert ws.subprotocol == ("bearer" if "subprotocols" in options else None)
            await ws.send('{"uid": "u"}')
            assert json.loads(await ws.recv())["message"] == "SERVER_READY"


async def test_a_server_that_stops_ends_every_connection(start_server: Start) -> None:
    """One that is transcribed, one that has said nothing yet, and one of /ws/transcribe."""
    with start_server(SPEECHMLX_MODELS=LIVE_MODELS) as server:
        url = server.url.replace("http", "ws")
        one_shot = connect(f"{url}/ws/transcribe", proxy=None)
        async with opened(server) as talking, connect(url, proxy=None) as silent, one_shot as idle:
            assert "SERVER_READY" in str(await talking.recv())
            server.process.terminate()
            ends = [await code_of(ws) for ws in (talking, silent, idle)]
    assert ends == [1012, 1011, 1012]


async def test_metrics_under_whisperlives_names(live: Server) -> None:
    def scraped() -> dict[str, float]:
        page = httpx.get(f"{live.url}/metrics", trust_env=False).text
        return {name: float(value) for name, value in re.findall(r"^(whisperlive_\S+) (\S+)$", page, re.MULTILINE)}

    before = await asyncio.to_thread(scraped)
    await heard(live, tone(0.5, rate=RATE), audio_format="int16")
    file = {"file": ("a.wav", b"no sound")}
    status = await asyncio.to_thread(
        lambda: httpx.post(f"{live.url}/transcribe", files=file, trust_env=False).status_code
    )
    after = await asyncio.to_thread(scraped)
    grown = {name: after[name] - before.get(name, 0.0) for name in after}
    assert grown["whisperlive_connections_total"] == 1
    assert grown['whisperlive_segments_emitted_total{completed="true"}'] == 1
    assert grown["whisperlive_audio_processed_seconds_total"] == pytest.approx(0.5)
    assert grown["whisperlive_transcription_latency_seconds_count"] == 5
    assert grown[f'whisperlive_rest_requests_total{{endpoint="/transcribe",status="{status}"}}'] == 1
    assert after["whisperlive_connections_active"] == 0


def test_the_page_is_still_at_its_address(live: Server) -> None:
    page = httpx.get(live.url, trust_env=False)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
