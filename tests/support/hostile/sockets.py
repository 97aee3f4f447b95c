"""Sessions on every WebSocket wire: messages with damage, then one that must be answered if the session still lives."""

from __future__ import annotations

import asyncio
import json
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import numpy as np
from support.encoded_audio import encode
from support.frame_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame
from support.hostile.mutations import VALUES, mutate, mutate_json, written
from support.hostile.target import PATIENCE, Target, exchange
from support.hostile_forms import WAV
from support.realtime_messages import KINDS, whole_or_broken
from support.scripted_conversation import tone

MESSAGES = 50
"""Messages of a session; each is one input."""
SOUND = tone(0.2, rate=16000)
FLOATS = (np.frombuffer(SOUND, "<i2").astype("<f4") / 32768).tobytes()
WEBM = encode("webm", "libopus", samples=np.zeros(9600, np.float32))
HANDSHAKE = (
    "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)  # fmt: skip
REFUSED = {400, 401, 403, 404, 426, 429, 503}
"""Statuses with which a handshake may be refused."""
BROKEN = {1005, 1006, 1011, 1015}
"""Close codes that no server may send, or that say it has failed."""
Message = str | bytes


@dataclass(frozen=True)
class SocketWire:
    """`talk` has messages that a client could send, `last` the one to which a session that lives answers `reply`."""

    path: str
    talk: tuple[Any, ...]
    last: Message
    reply: str
    headers: tuple[str, ...] = ()
    make: Callable[[random.Random], Message] | None = field(default=None, compare=False)
    """Makes a message; None: one of `talk` with damage."""

    def message(self, draw: random.Random) -> Message:
        if self.make is not None:
            return self.make(draw)
        chosen = draw.choice(self.talk)
        if isinstance(chosen, bytes):
            return mutate(chosen, draw, SOUND) if draw.random() < 0.5 else chosen
        text = written(chosen if draw.random() < 0.3 else mutate_json(chosen, draw), draw)
        return text if draw.random() < 0.1 else text.decode(errors="replace")

    def place(self, draw: random.Random) -> str:
        """The path; at times with a parameter more or less."""
        if draw.random() < 0.7:
            return self.path
        path, _, query = self.path.partition("?")
        pairs = [pair for pair in query.split("&") if pair and draw.random() < 0.7]
        names = ("language", "model", "encoding", "sample_rate", "channels", "mode", "intent", "diarize", "keyterm")
        pairs += [f"{draw.choice(names)}={quote(str(draw.choice(VALUES))[:300], errors='replace')}"]
        return f"{path}?{'&'.join(pairs)}"


def _realtime(kind: Any) -> SocketWire:
    def make(draw: random.Random) -> Message:
        made = whole_or_broken(draw, ["root", "item_1"], kind)
        return json.dumps(made) if isinstance(made, dict) else made

    last = '{"type": "conversation.item.retrieve", "item_id": "nobody", "event_id": "alive"}'
    beta = ("OpenAI-Beta: realtime=v1",) if kind.dialect == "beta" else ()
    return SocketWire(f"/v1/realtime{kind.query}", (), last, '"alive"', beta, make)


HELLO = {"uid": "u", "language": "en", "model": "whisper-1", "task": "transcribe", "use_vad": True}
ONE = {"type": "transcribe", "language": "en", "task": "transcribe", "machine_id": "m", "postprocess": False}
DEEPGRAM = ({"type": "KeepAlive"}, {"type": "Finalize"}, {"type": "Finalize", "channel": 0}, SOUND, SOUND)
FLUX = ({"type": "Configure", "thresholds": {"eot_threshold": 0.7}, "keyterms": ["a"]}, {"type": "ForceEndTurn"}, SOUND)
SPEAK = ({"type": "Speak", "text": "one two"}, {"type": "Flush"}, {"type": "Clear"}, SOUND)
SOCKETS: dict[str, SocketWire] = {
    **{f"realtime {kind}": _realtime(kind) for kind in KINDS},
    "asr pcm": SocketWire("/asr?language=en", (SOUND, SOUND, {"type": "config"}), b"", "ready_to_stop"),
    "asr webm": SocketWire("/asr?language=en", (WEBM[:900], WEBM[900:], WEBM), b"", "ready_to_stop"),
    "whisperlive": SocketWire("/", (HELLO, HELLO, FLOATS, FLOATS), json.dumps(HELLO), "uid"),
    "deepgram": SocketWire(
        "/v1/listen?encoding=linear16&sample_rate=16000", DEEPGRAM, '{"type":"CloseStream"}', "Metadata"
    ),
    "flux": SocketWire(
        "/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=16000", FLUX, '{"type":"Bogus"}', "'Bogus'"
    ),
    "speak": SocketWire("/v1/speak?encoding=linear16", SPEAK, '{"type":"Flush"}', "Flushed"),
    "one shot": SocketWire("/ws/transcribe", (ONE, ONE, WAV[:9000], {"type": "ping"}), '{"type":"ping"}', "pong"),
}


def as_frames(message: Message, draw: random.Random) -> bytes:
    """The frames of a message: one, or a few with a ping between."""
    opcode, data = (TEXT, message.encode("utf-8", "replace")) if isinstance(message, str) else (BINARY, message)
    if draw.random() < 0.85 or len(data) < 4:
        return frame(opcode, data)
    at = draw.randrange(len(data))
    return frame(opcode, data[:at], last=False) + frame(PING, b"p") + frame(CONTINUATION, data[at:])


async def attack(target: Target, draw: random.Random) -> str | None:
    """One session; what is wrong with its end."""
    name = draw.choice(list(SOCKETS))
    wire = SOCKETS[name]
    place = wire.place(draw)
    reader, writer = await asyncio.open_connection("127.0.0.1", target.http)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write("\r\n".join((f"GET {place} HTTP/1.1", *HANDSHAKE, *wire.headers, "", "")).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if (status := int(head.split(b" ", 2)[1])) != 101:
                return None if status in REFUSED else f"{name} {place}: the handshake was answered {status}"
            for _ in range(MESSAGES):
                writer.write(as_frames(wire.message(draw), draw))
            writer.write(as_frames(wire.last, random.Random(0)))
            wrong = await _ended(reader, writer, wire.reply)
    except TimeoutError:
        wrong = f"neither {wire.reply!r} nor a close within {PATIENCE:g} s"
    except (asyncio.IncompleteReadError, ConnectionError):
        wrong = "the connection ended without a close frame"
    finally:
        writer.transport.abort()
    return wrong and f"{name} {place}: {wrong}"


async def _ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: str) -> str | None:
    """Read up to `reply` or a close frame; what is wrong with the latter."""
    while True:
        opcode, data = await _frame(reader)
        if opcode == CLOSE:
            code = struct.unpack(">H", data[:2])[0] if len(data) > 1 else 1005
            writer.write(frame(CLOSE, data[:2]))
            return f"closed with {code}: {data[2:]!r}" if code in BROKEN else None
        if opcode == TEXT and re.search(reply, data.decode()):
            return None


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, size = await reader.readexactly(2)
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    return first & 15, await reader.readexactly(size)


async def attack_frames(target: Target, draw: random.Random) -> str | None:
    """Frames with damage to their bytes, and a close; what is wrong with the server's close."""
    wire = draw.choice(list(SOCKETS.values()))
    frames = [as_frames(wire.message(draw), draw) for _ in range(3)] + [frame(PONG), frame(CLOSE, b"\x03\xe8")]
    draw.shuffle(frames)
    lines = (f"GET {wire.path} HTTP/1.1", *HANDSHAKE, *wire.headers, "", "")
    data = "\r\n".join(lines).encode() + mutate(b"".join(frames), draw) + frame(CLOSE, b"\x03\xe8") + bytes(12)
    answer, _ = await exchange(target.http, data, 0.1)
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        return None if not head or int(head.split(b" ", 2)[1]) in REFUSED else f"{wire.path}: {head!r}"
    reader = asyncio.StreamReader()
    reader.feed_data(rest)
    reader.feed_eof()
    try:
        while True:
            opcode, content = await _frame(reader)
            if opcode == CLOSE and len(content) > 1 and int.from_bytes(content[:2], "big") in BROKEN:
                return f"{wire.path}: closed with {content!r}"
    except asyncio.IncompleteReadError:
        return None
