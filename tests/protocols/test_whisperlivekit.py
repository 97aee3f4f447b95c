"""WS /asr with WhisperLiveKit's own test client, unchanged, and what the protocol says of refusals and the end."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import av
import pytest
from support.asr_client import AsrClient
from support.encoded_audio import encode
from support.scripted_conversation import LIVE_MODELS, tone, words
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from speechmlx.audio.pcm import from_pcm16

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

RATE = 16000
SPEECH = tone(1.0, rate=RATE) + tone(0.8, 0, RATE) + tone(0.5, rate=RATE) + tone(6.0, 0, RATE) + tone(0.3, rate=RATE)
WORDS = [words(1.0), words(0.5), words(0.3)]
CONTAINERS = {"wav": "pcm_s16le", "webm": "libopus", "mp3": "libmp3lame", "flac": "flac"}


@pytest.fixture(scope="module")
def stock() -> ModuleType:
    """The file test_client.py of the package whisperlivekit, without the package: that imports torch."""
    file = Path(str(distribution("whisperlivekit").locate_file("whisperlivekit/test_client.py")))
    spec = importlib.util.spec_from_file_location("whisperlivekit_test_client", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decoded(path: str) -> bytes:
    """What the client's ffmpeg makes of a file."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(path) as file:
        frames = [*file.decode(audio=0), None]
        return b"".join(piece.to_ndarray().tobytes() for frame in frames for piece in resampler.resample(frame))


def address(server: Server, query: str = "") -> str:
    return f"{server.url.replace('http', 'ws')}/asr{query}"


async def listen(server: Server, audio: bytes, query: str = "", size: int = 3333) -> AsrClient:
    """Send `audio` in pieces and end it: the client at ready_to_stop."""
    client = AsrClient()
    async with connect(address(server, query), proxy=None) as socket:
        client.take(str(await socket.recv()))
        for start in range(0, len(audio), size):
            await socket.send(audio[start : start + size])
        await socket.send(b"")
        async with asyncio.timeout(30):
            while not client.is_ready:
                client.take(str(await socket.recv()))
    return client


@pytest.mark.parametrize("mode", ["full", "diff"])
@pytest.mark.parametrize("load", [decoded, lambda path: Path(path).read_bytes()], ids=["pcm", "container"])
async def test_the_stock_client(
    listening: Server,
    stock: ModuleType,
    mode: str,
    load: Callable[[str], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sends what `load` gives as its audio; in place of ffmpeg's program, which may not be here."""
    monkeypatch.setattr(stock, "load_audio_pcm", load)
    path = tmp_path / "speech.wav"
    path.write_bytes(encode("wav", "pcm_s16le", samples=from_pcm16(SPEECH), rate=RATE))
    result = await stock.transcribe_audio(str(path), url=address(listening, "?language=en"), speed=0, mode=mode)
    assert result.committed_text == result.text == " ".join(WORDS)
    assert [line["speaker"] for line in result.lines] == [1, 1, -2, 1]
    assert all(update["status"] != "error" for update in result.responses)


@pytest.mark.parametrize("container", CONTAINERS)
async def test_any_container_is_taken_for_what_it_is(listening: Server, container: str) -> None:
    audio = encode(container, CONTAINERS[container], samples=from_pcm16(SPEECH), rate=RATE)
    client = await listen(listening, audio, "?mode=diff", 700)
    assert client.errors == [] and [line["speaker"] for line in client.lines] == [1, 1, -2, 1]
    for line, expected in zip(client.spoken, WORDS, strict=True):  # a codec blurs where the sound ends
        heard = line["text"].split()
        assert heard == words(len(heard) / 10).split() and abs(len(heard) - len(expected.split())) <= 1


async def test_a_container_that_breaks_is_an_error_and_the_session_ends_well(listening: Server) -> None:
    flac = encode("flac", "flac", samples=from_pcm16(SPEECH), rate=RATE)
    client = await listen(listening, b"OggS" + flac[4:], "?mode=diff")
    assert client.errors and client.errors[0].startswith("FFmpeg error: ")
    assert client.lines == []


async def test_full_and_diff_have_the_same_lines_however_the_audio_is_cut(listening: Server) -> None:
    full = await listen(listening, SPEECH, "?time_precision=cs", 1001)
    diff = await listen(listening, SPEECH, "?mode=diff&time_precision=cs", 60_000)
    assert full.lines == diff.lines and full.config == {"type": "config", "useAudioWorklet": True, "mode": "full"}
    assert diff.committed == " ".join(WORDS)
    diff.check_times(len(SPEECH) / 2 / RATE)
    silence = diff.lines[2]
    assert (silence["start"], silence["text"]) == ("0:00:02.30", None)


async def test_words_come_while_the_person_speaks_and_texts_are_ignored(listening: Server) -> None:
    client = AsrClient()
    async with connect(address(listening, "?mode=diff"), proxy=None) as socket, asyncio.timeout(30):
        await socket.send('{"type": "hello"}')
        await socket.send(tone(1.0, rate=RATE))
        while "five" not in client.state.get("buffer_transcription", ""):
            client.take(str(await socket.recv()))
        assert client.lines == []
        await socket.send(tone(1.0, 0, RATE))  # a second of silence makes a line of it
        while not client.lines:
            client.take(str(await socket.recv()))
        assert client.committed == words(1.0)


async def test_the_socket_stays_open_after_ready_to_stop_and_ignores_audio(listening: Server) -> None:
    async with connect(address(listening), proxy=None) as socket, asyncio.timeout(30):
        await socket.send(b"")
        while json.loads(await socket.recv()).get("type") != "ready_to_stop":
            pass
        await socket.send(SPEECH)
        await (await socket.ping())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await socket.recv()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?language=fr", "language 'fr' is not known to talking-live"),
        ("?target_language=klingonese", "'klingonese' is not known to target_language"),
        ("?diarization=perhaps", "'diarization' must be true or false"),
    ],
)
async def test_a_wrong_parameter_is_named_and_closes_with_4400(listening: Server, query: str, said: str) -> None:
    async with connect(address(listening, query), proxy=None) as socket, asyncio.timeout(30):
        told = json.loads(await socket.recv())
        assert told["type"] == "error" and said in told["error"]
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
    assert socket.close_code == 4400


async def test_keys_a_full_server_and_a_server_that_stops(start_server: Start) -> None:
    flags = {
        "SPEECHMLX_API_KEY": "key",
        "SPEECHMLX_MAX_SESSIONS": "1",
        "SPEECHMLX_MODELS": LIVE_MODELS,
        "SPEECHMLX_DRAIN_TIMEOUT": "0.5",
    }
    with start_server(**flags) as server:
        for query in ("", "?token=wrong"):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address(server, query), proxy=None)
            assert refused.value.response.status_code == 403
        key = {"Authorization": "Token key"}
        async with connect(address(server), additional_headers=key, proxy=None) as first, asyncio.timeout(30):
            assert json.loads(await first.recv())["type"] == "config"
            async with connect(address(server, "?token=key"), proxy=None) as second:
                assert json.loads(await second.recv())["type"] == "config"
                told = json.loads(await second.recv())
                assert told["type"] == "error" and "1 live sessions are open" in told["error"]
                assert await close_code(second) == 1013
            server.process.terminate()
            assert await close_code(first) == 1012


async def close_code(socket: ClientConnection) -> int | None:
    """The code with which the server closes the socket."""
    with suppress(ConnectionClosedError):
        async for _ in socket:
            pass
    return socket.close_code
