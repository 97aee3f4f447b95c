"""A small client for each live wire, with one shape: send PCM16 at 16 kHz, finish, and what was final in order.

The stock clients of each protocol are tested elsewhere. These serve the tests that ask the same of every wire.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import soxr
import websockets
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error

RATE = 16000
PATIENCE = 60.0
"""Seconds that a client waits for the end of a session."""
OPENING = 60.0
"""Seconds that a handshake may take."""


class LiveClient:
    """One session. `finals`: texts that the server said are final, in order; `failures`: errors that it told."""

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.failures: list[str] = []
        self.over = asyncio.Event()
        """Set when the server has said all."""
        self.reading = asyncio.Event()
        """Cleared: the client does not read."""
        self.reading.set()

    @property
    def words(self) -> list[str]:
        return " ".join(self.finals).split()

    async def send(self, pcm16: bytes) -> None:
        raise NotImplementedError

    async def end(self) -> None:
        """Say that no more audio comes."""
        raise NotImplementedError

    async def finish(self) -> list[str]:
        """End, wait for the rest, and return all final words."""
        await self.end()
        await asyncio.wait_for(self.over.wait(), PATIENCE)
        return self.words

    async def cut(self) -> None:
        """Break the connection without a word."""
        raise NotImplementedError


class SocketClient(LiveClient):
    """A client on a WebSocket."""

    path = "/"
    hello: ClassVar[dict[str, Any] | None] = None

    def __init__(self, socket: websockets.ClientConnection) -> None:
        super().__init__()
        self.socket = socket

    async def begin(self) -> None:
        if self.hello is not None:
            await self.socket.send(json.dumps(self.hello))

    async def read(self) -> None:
        try:
            while True:
                await self.reading.wait()
                message = await self.socket.recv()
                if isinstance(message, str):
                    self.take(json.loads(message))
        except websockets.ConnectionClosed:
            pass
        except Exception as error:  # an answer that this client cannot take: it would wait for ever
            self.failures.append(f"{type(error).__name__}: {error}")
        self.over.set()

    def take(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    async def send(self, pcm16: bytes) -> None:
        await self.socket.send(pcm16)

    async def cut(self) -> None:
        self.socket.transport.abort()


class Asr(SocketClient):
    """WhisperLiveKit's /asr, full mode."""

    path = "/asr?language=en"

    def take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "ready_to_stop":
            self.over.set()
        elif "lines" in message:
            self.finals = [line["text"].strip() for line in message["lines"] if line["text"]]
            if message.get("error") and message["error"] not in self.failures:
                self.failures.append(message["error"])

    async def end(self) -> None:
        await self.socket.send(b"")


class AsrDiff(Asr):
    """WhisperLiveKit's /asr, diff mode, with the documented algorithm."""

    path = "/asr?language=en&mode=diff"

    def __init__(self, socket: websockets.ClientConnection) -> None:
        super().__init__(socket)
        self._lines: list[dict[str, Any]] = []

    def take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "snapshot":
            self._lines = list(message["lines"])
        elif message.get("type") == "diff":
            del self._lines[: message.get("lines_pruned", 0)]
            self._lines += message.get("new_lines", [])
            assert len(self._lines) == message["n_lines"], "out of sync"
        super().take({**message, "lines": self._lines})


class Deepgram(SocketClient):
    """Deepgram's /v1/listen."""

    path = "/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true"

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "Results" and message["is_final"]:
            self.finals.append(message["channel"]["alternatives"][0]["transcript"])
        elif message["type"] == "Error":
            self.failures.append(message["description"])

    async def end(self) -> None:
        await self.socket.send('{"type": "CloseStream"}')


class Flux(SocketClient):
    """Deepgram's /v2/listen."""

    path = "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=16000"

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "TurnInfo" and message["event"] == "EndOfTurn":
            self.finals.append(message["transcript"])
        elif message["type"] == "Error":
            self.failures.append(message["description"])

    async def end(self) -> None:
        await self.socket.send('{"type": "CloseStream"}')


class WhisperLive(SocketClient):
    """WhisperLive, on the root path."""

    hello: ClassVar[dict[str, Any]] = {"uid": "test", "language": "en", "model": "whisper-1"}

    def __init__(self, socket: websockets.ClientConnection) -> None:
        super().__init__(socket)
        self._seen: set[tuple[str, str, str]] = set()

    def take(self, message: dict[str, Any]) -> None:
        assert message["uid"] == "test"
        if message.get("status") == "ERROR":
            self.failures.append(message["message"])
        for segment in message.get("segments", ()):
            key = (segment["start"], segment["end"], segment["text"])
            if segment["completed"] and key not in self._seen:
                self._seen.add(key)
                self.finals.append(segment["text"].strip())

    async def send(self, pcm16: bytes) -> None:
        await self.socket.send((np.frombuffer(pcm16, "<i2").astype("<f4") / 32768).tobytes())

    async def end(self) -> None:
        await self.socket.send(b"END_OF_AUDIO")


class Realtime(SocketClient):
    """A transcription session of OpenAI's /v1/realtime."""

    path = "/v1/realtime?intent=transcription"

    def __init__(self, socket: websockets.ClientConnection) -> None:
        super().__init__(socket)
        self._open: set[str] = set()
        self._said: dict[str, str] = {}
        """Of each item in the order of the conversation; its words may be known after those of a later one."""
        self._ending = False
        self._up = soxr.ResampleStream(RATE, 24000, 1, dtype="float32")

    def take(self, message: dict[str, Any]) -> None:
        kind = message["type"].rpartition("conversation.item.input_audio_transcription.")[2]
        if kind == "input_audio_buffer.speech_started" or message["type"] == "input_audio_buffer.committed":
            self._open.add(message["item_id"])
            self._said.setdefault(message["item_id"], "")
        elif kind == "completed":
            self._said[message["item_id"]] = message["transcript"]
            self.finals = [text for text in self._said.values() if text]
            self._open.discard(message["item_id"])
        elif kind == "failed" or message["type"] == "error":
            self.failures.append(message["error"]["message"])
            self._open.discard(message.get("item_id", ""))
            self._ending = self._ending or "buffer" in message["error"]["message"]
        if self._ending and not self._open:
            self.over.set()

    async def send(self, pcm16: bytes) -> None:
        samples = self._up.resample_chunk(np.frombuffer(pcm16, "<i2").astype(np.float32) / 32768)
        await self._append(samples)

    async def end(self) -> None:
        await self._append(self._up.resample_chunk(np.zeros(0, np.float32), last=True))
        await self._append(np.zeros(24000, np.float32))  # the silence that ends a turn
        await asyncio.sleep(1.0)
        self._ending = True
        if not self._open:
            self.over.set()

    async def _append(self, samples: np.ndarray) -> None:
        audio = base64.b64encode((samples * 32767).astype("<i2").tobytes()).decode()
        await self.socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


class Wyoming(LiveClient):
    """Home Assistant's protocol on TCP: one transcript, at the end."""

    def __init__(self, client: AsyncTcpClient) -> None:
        super().__init__()
        self.client = client

    async def begin(self) -> None:
        await self.client.write_event(Transcribe(language="en").event())
        await self.client.write_event(AudioStart(RATE, 2, 1).event())

    async def read(self) -> None:
        with contextlib.suppress(ConnectionError):
            while (event := await self.client.read_event()) is not None:
                if Transcript.is_type(event.type):
                    self.finals.append(Transcript.from_event(event).text)
                    break
                if Error.is_type(event.type):
                    self.failures.append(Error.from_event(event).text)
                    break
        self.over.set()

    async def send(self, pcm16: bytes) -> None:
        await self.client.write_event(AudioChunk(RATE, 2, 1, pcm16).event())

    async def end(self) -> None:
        await self.client.write_event(AudioStop().event())

    async def cut(self) -> None:
        assert self.client._writer is not None
        self.client._writer.transport.abort()


SOCKETS: dict[str, type[SocketClient]] = {
    "asr": Asr,
    "asr_diff": AsrDiff,
    "deepgram": Deepgram,
    "flux": Flux,
    "whisperlive": WhisperLive,
    "openai_realtime": Realtime,
}
WIRES = (*SOCKETS, "wyoming")


@asynccontextmanager
async def open_wire(name: str, url: str, wyoming: str = "") -> AsyncIterator[LiveClient]:
    """A session on the wire `name` of the server at `url`, or of the Wyoming service at `wyoming` ("host:port")."""
    if name == "wyoming":
        host, _, port = wyoming.rpartition(":")
        tcp = AsyncTcpClient(host, int(port))
        await tcp.connect()
        client: Any = Wyoming(tcp)
        close = tcp.disconnect
    else:
        kind = SOCKETS[name]
        address = f"ws://{urlsplit(url).netloc}{kind.path}"
        socket = await websockets.connect(
            address, max_size=None, max_queue=None, ping_timeout=None, open_timeout=OPENING, proxy=None
        )
        client = kind(socket)
        close = socket.close
    reading = asyncio.create_task(client.read())
    try:
        await client.begin()
        yield client
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        with contextlib.suppress(ConnectionError, websockets.ConnectionClosed, TimeoutError):
            await asyncio.wait_for(close(), 5)
