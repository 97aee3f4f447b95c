"""A client of each live wire, which sends speech at the pace of a microphone and keeps what was shown when.

Written against the wires, not with their own client libraries, so that all are timed by the same code; the tests of the
protocols use the stock clients.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import websockets
from websockets.asyncio.client import ClientConnection

from speechmlx.audio.pcm import to_pcm16
from speechmlx.audio.resample import resample

RATE = 16_000
GREETING_LIMIT = 60.0
"""Seconds for the server's first word: some load a model then."""
CHUNK_LIMIT = 64 * 2**20

Json = dict[str, Any]


class NoSuchWire(Exception):
    """The server does not speak this wire; the message says how it was found out."""


@dataclass(frozen=True)
class Shown:
    """What a person sees after a message: the words that stay, and those that may still change. `when`: monotonic."""

    when: float
    final: str
    tail: str


@dataclass
class Streamed:
    """A recording sent over a wire. Times are of the monotonic clock."""

    sent: list[float] = field(default_factory=list)
    """When each piece was sent."""
    end: float = 0.0
    """When the end of the audio was told."""
    over: float | None = None
    """When the server said that all is over; None: it did not within the limit."""
    shown: list[Shown] = field(default_factory=list)

    @property
    def last(self) -> Shown:
        return self.shown[-1] if self.shown else Shown(0.0, "", "")


class WireClient:
    """One session at 127.0.0.1: `final` and `tail` are its transcript so far.

    Use as a context manager: entering connects and waits until the server takes audio. `rate` is that of the samples
    that `send` takes.
    """

    name = ""
    rate = RATE

    def __init__(self, port: int) -> None:
        self.port = port
        self.final = ""
        self.tail = ""

    async def __aenter__(self) -> WireClient:
        raise NotImplementedError

    async def __aexit__(self, *error: object) -> None:
        raise NotImplementedError

    async def send(self, samples: np.ndarray) -> None:
        raise NotImplementedError

    async def end(self) -> None:
        """There is no more audio."""
        raise NotImplementedError

    async def receive(self) -> bool:
        """Take the next message; False: all is over."""
        raise NotImplementedError


class SocketClient(WireClient):
    """A wire on a WebSocket: `path` with its query, what is said first, and a parser of what comes."""

    path = "/"
    headers: ClassVar[Json] = {}

    async def __aenter__(self) -> WireClient:
        url = f"ws://127.0.0.1:{self.port}{self.path}"
        try:
            self.socket: ClientConnection = await websockets.connect(
                url, additional_headers=self.headers, max_size=CHUNK_LIMIT, open_timeout=GREETING_LIMIT, proxy=None
            )
        except websockets.InvalidStatus as error:
            where = self.path.partition("?")[0]
            raise NoSuchWire(f"no WebSocket at {where} (HTTP {error.response.status_code})") from error
        async with asyncio.timeout(GREETING_LIMIT):
            await self.greet()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.socket.close()

    async def send(self, samples: np.ndarray) -> None:
        await self.socket.send(to_pcm16(samples))

    async def receive(self) -> bool:
        try:
            return self.take(await self.next())
        except websockets.ConnectionClosed:
            return False

    async def next(self) -> Json:
        message: Json = json.loads(await self.socket.recv())
        return message

    async def tell(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def greet(self) -> None:
        """What comes before the audio."""

    def take(self, message: Json) -> bool:
        """Keep what `message` shows; False: all is over."""
        raise NotImplementedError


class Asr(SocketClient):
    """/asr of WhisperLiveKit, in full mode: each message has the whole transcript."""

    name = "/asr"
    path = "/asr?language=en&mode=full"

    async def greet(self) -> None:
        config = await self.next()
        if config.get("type") != "config" or not config.get("useAudioWorklet"):
            raise NoSuchWire(f"/asr takes no PCM: {config}")

    async def end(self) -> None:
        await self.socket.send(b"")

    def take(self, message: Json) -> bool:
        if message.get("error"):
            raise RuntimeError(f"/asr: {message['error']}")
        if "lines" in message:
            self.final = " ".join(line["text"] for line in message["lines"] if line.get("text"))
            self.tail = f"{message['buffer_diarization']} {message['buffer_transcription']}"
        return message.get("type") != "ready_to_stop"


class Deepgram(SocketClient):
    """/v1/listen of Deepgram, with interim results."""

    name = "Deepgram"
    path = (
        "/v1/listen?model=nova-3&language=en&encoding=linear16&sample_rate=16000&channels=1"
        "&interim_results=true&punctuate=true"
    )
    headers: ClassVar[Json] = {"Authorization": "Token unused"}

    async def end(self) -> None:
        await self.tell(type="CloseStream")

    def take(self, message: Json) -> bool:
        if message["type"] == "Error":
            raise RuntimeError(f"/v1/listen: {message}")
        if message["type"] == "Results":
            said = message["channel"]["alternatives"][0]["transcript"]
            if message["is_final"]:
                self.final, self.tail = f"{self.final} {said}", ""
            else:
                self.tail = said
        return True


class WhisperLive(SocketClient):
    """WhisperLive's protocol at /: completed segments stay, the open one changes."""

    name = "WhisperLive"

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.uid = str(uuid.uuid4())
        self.completed = 0.0
        """Where the completed segments end, in seconds of audio."""

    async def greet(self) -> None:
        """Without a model: the server's own is measured."""
        await self.tell(uid=self.uid, language="en", task="transcribe", use_vad=True)
        while (message := await self.next()).get("message") != "SERVER_READY":
            if message.get("status") != "WARNING":
                raise RuntimeError(f"WhisperLive: {message}")

    async def send(self, samples: np.ndarray) -> None:
        await self.socket.send(samples.astype("<f4").tobytes())

    async def end(self) -> None:
        await self.socket.send(b"END_OF_AUDIO")

    def take(self, message: Json) -> bool:
        if message.get("status") == "ERROR":
            raise RuntimeError(f"WhisperLive: {message}")
        if segments := message.get("segments"):
            for segment in segments:
                if segment["completed"] and float(segment["start"]) >= self.completed:
                    self.final = f"{self.final} {segment['text']}"
                    self.completed = float(segment["end"])
            self.tail = " ".join(segment["text"] for segment in segments if not segment["completed"])
        return message.get("message") != "DISCONNECT"


class RealtimeTranscription(SocketClient):
    """OpenAI's /v1/realtime, a session that transcribes, with the server's turn detection."""

    name = "Realtime"
    path = "/v1/realtime?intent=transcription"
    rate = 24_000

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.turns: dict[str, str] = {}
        self.open: set[str] = set()
        """Turns that are committed and not complete."""
        self.told_end = self.answered_end = False

    async def greet(self) -> None:
        heard = {
            "format": {"type": "audio/pcm", "rate": self.rate},
            "transcription": {"model": "whisper-1", "language": "en"},
            "turn_detection": {"type": "server_vad"},
        }
        await self.tell(type="session.update", session={"type": "transcription", "audio": {"input": heard}})
        while (message := await self.next())["type"] != "session.updated":
            if message["type"] == "error":
                raise RuntimeError(f"/v1/realtime: {message['error']}")

    async def send(self, samples: np.ndarray) -> None:
        await self.tell(type="input_audio_buffer.append", audio=base64.b64encode(to_pcm16(samples)).decode())

    async def end(self) -> None:
        self.told_end = True
        await self.tell(type="input_audio_buffer.commit")

    def take(self, message: Json) -> bool:
        kind = message["type"].removeprefix("conversation.item.input_audio_transcription.")
        if kind == "delta":
            self.turns[message["item_id"]] = self.turns.get(message["item_id"], "") + message["delta"]
        elif kind == "completed":
            self.turns[message["item_id"]] = message["transcript"]
            self.open.discard(message["item_id"])
        elif kind == "input_audio_buffer.committed":
            self.open.add(message["item_id"])
            self.answered_end = self.told_end
        elif kind == "error" and message["error"]["code"] == "input_audio_buffer_commit_empty":
            self.answered_end = True
        elif kind in ("error", "failed"):
            raise RuntimeError(f"/v1/realtime: {message['error']}")
        self.final = " ".join(self.turns.values())
        return not self.answered_end or bool(self.open)


class Wyoming(WireClient):
    """Wyoming over TCP: lines of JSON, each with its data and payload after it."""

    name = "Wyoming"
    audio: ClassVar[Json] = {"rate": RATE, "width": 2, "channels": 1}

    async def __aenter__(self) -> WireClient:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self.tell("transcribe", {"language": "en"})
        await self.tell("audio-start", self.audio)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()

    async def tell(self, kind: str, data: Json, payload: bytes = b"") -> None:
        header = {"type": kind, "data": data, "payload_length": len(payload)}
        self.writer.write(json.dumps(header).encode() + b"\n" + payload)
        await self.writer.drain()

    async def send(self, samples: np.ndarray) -> None:
        await self.tell("audio-chunk", self.audio, to_pcm16(samples))

    async def end(self) -> None:
        await self.tell("audio-stop", {})

    async def receive(self) -> bool:
        if not (line := await self.reader.readline()):
            return False
        header = json.loads(line)
        data = header.get("data") or {}
        if length := header.get("data_length"):
            data |= json.loads(await self.reader.readexactly(length))
        await self.reader.readexactly(header.get("payload_length") or 0)
        if header["type"] == "error":
            raise RuntimeError(f"Wyoming: {data}")
        if header["type"] == "transcript-chunk":
            self.final += data["text"]
        if header["type"] == "transcript":
            self.final = data["text"]
        return bool(header["type"] != "transcript")


CLIENTS: tuple[type[WireClient], ...] = (Asr, Deepgram, WhisperLive, Wyoming, RealtimeTranscription)


async def stream(
    client: WireClient, samples: np.ndarray, piece: int, limit: float, when: Callable[[], float] = time.monotonic
) -> Streamed:
    """Send mono float32 `samples` at RATE in pieces of `piece` of them, each when a microphone would have it.

    `limit`: seconds that the server has to end it after the last piece.
    """
    found = Streamed()
    audio = samples if client.rate == RATE else resample(samples, RATE, client.rate)
    pieces = [
        audio[at * client.rate // RATE : (at + piece) * client.rate // RATE] for at in range(0, len(samples), piece)
    ]
    async with client:
        speaking = asyncio.create_task(_speak(client, pieces, piece / RATE, found, when))
        try:
            async with asyncio.timeout(len(samples) / RATE + limit):
                while await client.receive():
                    if (client.final, client.tail) != (found.last.final, found.last.tail):
                        found.shown.append(Shown(when(), client.final, client.tail))
                found.over = when()
                if (client.final, client.tail) != (found.last.final, found.last.tail):
                    found.shown.append(Shown(found.over, client.final, client.tail))
                await speaking
        except TimeoutError:
            pass
        finally:
            speaking.cancel()
    return found


async def _speak(
    client: WireClient, pieces: list[np.ndarray], seconds: float, found: Streamed, when: Callable[[], float]
) -> None:
    begun = when()
    for number, piece in enumerate(pieces, 1):
        await asyncio.sleep(max(0.0, begun + number * seconds - when()))
        await client.send(piece)
        found.sent.append(when())
    found.end = when()
    await client.end()
