"""An hour of speech on each live wire: the memory and descriptors of the server stay, and every word comes.

`scripts/soak streams [--minutes 60] [--pace 60] [--models scripted|starter] [--wire NAME ...]`. `pace`: how much
faster than real time audio is sent. Memory is that of the server process and of its engine process, once a minute of
audio; what it grows by in an hour is the slope of a line through what came after WARM. With `starter` a recorded
sentence is said again and again, and words are compared with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import websockets
from protocols import conftest
from protocols.conftest import Server, serve
from support import clips, live_wires
from support.live_wires import RATE, SOCKETS, WIRES, LiveClient, Realtime, SocketClient, WhisperLive, open_wire
from support.long_stream import MINUTE, PIECE, WORDS, words_kept
from support.processes import Held, engine, held
from support.scripted_conversation import LIVE_MODELS, words
from support.word_errors import word_error_rate

from speechmlx.audio.decode import decode
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

WARM = 0.25
"""Part of a stream after which memory must stay: by then each wire keeps as much as it ever does."""
GROWTH = {"scripted": 12.0, "starter": 60.0}
"""MB that each process may grow by in an hour."""
WORD_ERRORS = 0.1
PATIENCE = 30.0
"""Seconds."""
SLOWER = {"conversation": 20.0}
"""Pace of a wire at most."""
CLIP = "jfk"
GAP = 1.0
"""Seconds of silence after each time the clip is said."""


class Conversation(Realtime):
    """/v1/realtime with answers: each turn is answered, and the next one interrupts."""

    path = "/v1/realtime"
    hello: ClassVar[dict[str, Any]] = {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    }

    def __init__(self, socket: websockets.ClientConnection) -> None:
        super().__init__(socket)
        self.responses = 0

    def take(self, message: dict[str, Any]) -> None:
        self.responses += message["type"] == "response.created"
        super().take(message)


class OneShot(SocketClient):
    """/ws/transcribe: one connection, a recording a minute."""

    path = "/ws/transcribe"

    async def send(self, pcm16: bytes) -> None:
        await self.socket.send('{"type": "transcribe", "language": "en"}')
        await self.socket.send(wav_header(RATE, len(pcm16) // 2) + pcm16)

    def take(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self.failures.append(message["error"])
        else:
            self.finals.append(message["text"])

    async def end(self) -> None:
        await self.socket.close()


SOCKETS |= {"conversation": Conversation, "one_shot": OneShot, "hybrid": WhisperLive}
NAMES = (*WIRES, "conversation", "one_shot", "hybrid")


@dataclass
class Row:
    """What a wire did."""

    wire: str
    words: str
    front: list[Held] = field(default_factory=list)
    """After each minute of audio."""
    worker: list[Held] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def growth(samples: list[Held]) -> float:
    """MB an hour, after WARM."""
    memory = [sample.memory for sample in samples]
    warm = round(len(memory) * WARM)
    if len(memory) - warm < 3:
        return 0.0  # no line through so few
    return float(np.polyfit(range(warm, len(memory)), memory[warm:], 1)[0]) * 60


def minute(models: str) -> bytes:
    """A minute of speech, or a little more: whole sentences."""
    if models == "scripted":
        return MINUTE
    once = decode(clips.path(CLIP).read_bytes(), RATE).samples
    return to_pcm16(np.tile(np.concatenate([once, np.zeros(round(GAP * RATE), np.float32)]), 5))


async def send(client: LiveClient, audio: bytes, pace: float) -> None:
    """Send `audio` at `pace` times the pace of speech, in pieces; a recording is sent whole."""
    piece, began = len(audio) if isinstance(client, OneShot) else PIECE, time.monotonic()
    for place in range(0, len(audio), piece):
        await client.send(audio[place : place + piece])
        due = began + (place + piece) / 2 / RATE / pace
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def stream(server: Server, models: str, wire: str, minutes: int, pace: float) -> Row:
    """An hour, or `minutes`, on one wire."""
    row, audio, began = Row(wire, ""), minute(models), time.monotonic()
    front = psutil.Process(server.process.pid)
    url = port_of("hybrid", server) if wire == "hybrid" else server.url
    async with open_wire(wire, url, server.wyoming.removeprefix("tcp://")) as client:
        for _ in range(minutes):
            await send(client, audio, min(pace, SLOWER.get(wire, pace)))
            row.front.append(held(front))
            if (worker := engine(front)) is not None:
                row.worker.append(held(worker))
        if isinstance(client, OneShot | Conversation):  # they do not end by themselves
            await caught_up(client, minutes if isinstance(client, OneShot) else minutes * WORDS)
        row.words = " ".join(await client.finish())
        row.faults += client.failures[:3]
        if isinstance(client, Conversation) and client.responses < 10 * minutes:
            row.faults.append(f"{client.responses} answers")
    row.seconds = time.monotonic() - began
    row.faults += wrong(row, models, minutes)
    return row


async def caught_up(client: LiveClient, wanted: int) -> None:
    """Wait until a client has as many transcripts, or words, as it will get; at most PATIENCE for the next."""
    last, changed = -1, time.monotonic()
    while (now := len(client.finals if isinstance(client, OneShot) else client.words)) < wanted and not client.failures:
        if now != last:
            last, changed = now, time.monotonic()
        if time.monotonic() - changed > PATIENCE:
            return
        await asyncio.sleep(0.1)


def port_of(protocol: str, server: Server) -> str:
    found = re.search(rf"Also on (http://\S+) for {protocol}", server.log.read_text())
    assert found is not None
    return found[1]


def wrong(row: Row, models: str, minutes: int) -> list[str]:
    """What passed a bound."""
    limit = GROWTH[models]
    faults = [
        f"the {name} process grew by {growth(samples):.1f} MB/h, over {limit:g}"
        for name, samples in (("server", row.front), ("engine", row.worker))
        if growth(samples) > limit
    ]
    quarter = -(-len(row.front) // 4)
    counts = [sample.descriptors for sample in row.front]
    if min(counts[-quarter:]) > max(counts[:quarter]):
        faults.append(f"descriptors {counts[0]} -> {counts[-1]}")
    said, count = row.words.lower(), len(row.words.split())
    if models == "starter":
        if (errors := word_error_rate(" ".join([clips.CLIPS[CLIP].words] * 5 * minutes), said)) > WORD_ERRORS:
            faults.append(f"{errors:.1%} word errors")
    elif row.wire == "one_shot":
        if said != " ".join([words(59.0)] * minutes):
            faults.append(f"{count} words, not those of the recordings")
    elif count < words_kept(row.wire, minutes) or (row.wire != "asr_diff" and count > words_kept(row.wire, minutes)):
        faults.append(f"{count} words of {words_kept(row.wire, minutes)}")
    return faults


@contextmanager
def running(folder: Path, models: str) -> Iterator[Server]:
    flags = ("--wyoming", "0", "--bind", "hybrid=127.0.0.1:0")
    if models == "scripted":
        with serve(folder, *flags, SPEECHMLX_MODELS=LIVE_MODELS) as server:
            yield server
    else:
        with serve(folder, *flags, "--asr", "whisper-tiny.en", scripted=False) as server:
            yield server


def soak(folder: Path, models: str, wires: list[str], minutes: int, pace: float) -> Iterator[Row]:
    """A row for each wire, each with a server of its own."""
    live_wires.PATIENCE = 3600.0
    for wire in wires:
        with running(folder / wire, models) as server:
            row = asyncio.run(stream(server, models, wire, minutes, pace))
            if "Traceback" in server.log.read_text():
                row.faults.append("a traceback in the log")
        yield row


HEAD = (
    f"{'wire':16}{'minutes':>8}{'front MB':>14}{'MB/h':>7}{'engine MB':>14}{'MB/h':>7}"
    f"{'files':>10}{'words':>8}{'took':>9}"
)


def line(row: Row) -> str:
    """The row as a line below HEAD."""
    first = round(len(row.front) * WARM)
    cells = [f"{row.wire:16}{len(row.front):>8}"]
    for samples in (row.front, row.worker):
        cells.append(f"{samples[first].memory:>6.0f} -> {samples[-1].memory:<4.0f}{growth(samples):>+7.1f}")
    files = f"{row.front[0].descriptors} -> {row.front[-1].descriptors}"
    cells.append(f"{files:>10}{len(row.words.split()):>8}{row.seconds:>7.0f} s")
    return "".join(cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--pace", type=float, default=60.0)
    parser.add_argument("--models", choices=tuple(GROWTH), default="scripted")
    parser.add_argument("--wire", action="append", choices=NAMES)
    parser.add_argument("--json", type=Path, help="also write what was measured to this file")
    options = parser.parse_args()
    conftest.START_LIMIT = conftest.STOP_LIMIT = 300.0  # the machine may be busy
    rows = []
    sys.stdout.write(HEAD + "\n")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        for row in soak(Path(folder), options.models, options.wire or list(NAMES), options.minutes, options.pace):
            rows.append(row)
            sys.stdout.write("\n".join([line(row), *(f"FAULT {row.wire}: {fault}" for fault in row.faults)]) + "\n")
            sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps({row.wire: [one.memory for one in row.front] for row in rows}))
    return 1 if any(row.faults for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
