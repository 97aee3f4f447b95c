"""/health and the memory of the front while clients attack: bodies, forms, sockets, items, sessions, texts, containers.

`scripts/soak attacks [--judge-latency] [--only WORDS]`. Each attack runs for itself against one server with scripted
engines; a client asks for /health all the time. It prints the attack's outcome, the middle, the 99th percentile and
the longest /health in milliseconds, and by how many MB the front's resident memory grew at most. It fails where an
answer is 5xx but 503, where /health does not answer, where the log has a traceback, or where memory grows above MOST.
`--judge-latency`: also where the 99th percentile is above HEALTH, with a core for the front's event loop and its asker,
and the others for the attackers, the engine process and the front's other threads (Linux, two cores or more).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from protocols.conftest import Server, serve
from support.frame_socket import BINARY, PING, TEXT, connect, frame
from support.scripted_conversation import MODELS

HEALTH = 50.0
MOST = 450.0
"""MB that the front may grow by in one attack: 256 MiB of messages that nobody took, and as much again for copies."""
LIMIT = 60.0
"""Seconds that one attack may take."""

Attack = Callable[[Server], Awaitable[str]]
ATTACKS: dict[str, Attack] = {}


@dataclass(frozen=True)
class Watched:
    """What was seen during an attack."""

    waits: list[float]
    """Milliseconds of each /health."""
    grown: float
    """MB."""

    def at(self, part: float) -> float:
        """A percentile of /health."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(part * len(self.waits)))]


def attack(name: str) -> Callable[[Attack], Attack]:
    """List an attack under its name."""

    def listed(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return listed


async def posts(server: Server, path: str, body: bytes, kind: str, times: int = 1) -> str:
    """The statuses of requests at once."""
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=LIMIT) as client:
        asked = [client.post(path, content=body, headers={"Content-Type": kind}) for _ in range(times)]
        return " ".join(sorted({str(answer.status_code) for answer in await asyncio.gather(*asked)}))


async def sends(server: Server, path: str, data: bytes, *headers: str, times: int = 1) -> str:
    """How sockets end that send bytes and read nothing but the end."""
    place = urlsplit(server.url)

    async def one() -> str:
        client = await connect(place.hostname or "", place.port or 0, path, *headers)
        sending = asyncio.create_task(client.send(data))
        try:
            async with asyncio.timeout(15):
                code, _ = await client.closed()
                return str(code)
        except TimeoutError:
            return "open"
        except (asyncio.IncompleteReadError, ConnectionError):
            return "cut"
        finally:
            client.leave()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    return " ".join(sorted(set(await asyncio.gather(*(one() for _ in range(times))))))


def event(**fields: object) -> bytes:
    return frame(TEXT, json.dumps(fields).encode())


@attack("nothing, for comparison")
async def nothing(server: Server) -> str:
    await asyncio.sleep(5)
    return ""


@attack("40 MB of lists, twice")
async def lists(server: Server) -> str:
    return await posts(server, "/transcribe", b"[" + b"[]," * 13_000_000 + b"[]]", "application/json", 2)


@attack("95 MB of objects")
async def objects(server: Server) -> str:
    return await posts(server, "/transcribe", b"[" + b'{"a":0},' * 11_800_000 + b"0]", "application/json")


@attack("24 MB form")
async def form(server: Server) -> str:
    return await posts(server, "/transcribe", b"a=1&" * 6_000_000, "application/x-www-form-urlencoded")


@attack("90 MB form")
async def long_form(server: Server) -> str:
    return await posts(server, "/transcribe", b"%41" * 30_000_000, "application/x-www-form-urlencoded")


@attack("form in a charset that is none")
async def charset(server: Server) -> str:
    head = b'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=punycode'
    body = b"--x\r\n" + head + b"\r\n\r\n\xff-\r\n--x--\r\n"
    return await posts(server, "/transcribe", body, "multipart/form-data; boundary=x; charset=punycode")


@attack("compressed message")
async def compressed(server: Server) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(64_000_000)) + packer.flush(zlib.Z_SYNC_FLUSH)
    extension = "Sec-WebSocket-Extensions: permessage-deflate"
    return await sends(server, "/v1/realtime", frame(TEXT, bomb[:-4], compressed=True), extension, times=8)


@attack("message without end, 20 sockets")
async def endless(server: Server) -> str:
    data = frame(BINARY, bytes(1_000_000), last=False) + frame(0, bytes(1_000_000), last=False) * 40
    return await sends(server, "/asr", data, times=20)


@attack("23 MB of values in a message")
async def values(server: Server) -> str:
    return await sends(server, "/v1/realtime", frame(TEXT, b"[" + b"{}," * 7_600_000 + b"0]"))


@attack("135 items of 1 MB")
async def items(server: Server) -> str:
    content = [{"type": "input_text", "text": "x" * 1_000_000}]
    item = {"type": "message", "role": "user", "content": content}
    return await sends(server, "/v1/realtime", event(type="conversation.item.create", item=item) * 135)


@attack("200,000 pings")
async def pings(server: Server) -> str:
    return await sends(server, "/v1/realtime", frame(PING) * 200_000)


@attack("200,000 empty fragments")
async def fragments(server: Server) -> str:
    return await sends(server, "/v1/realtime", frame(TEXT, last=False) + frame(0, last=False) * 200_000)


@attack("50,000 unknown events")
async def unknown(server: Server) -> str:
    return await sends(server, "/v1/realtime", event(type="dance") * 50_000)


@attack("2,000 commits of 0.2 s")
async def commits(server: Server) -> str:
    audio = event(type="input_audio_buffer.append", audio="A" * 12_800)
    return await sends(server, "/v1/realtime", (audio + event(type="input_audio_buffer.commit")) * 2000)


@attack("updates with 20 MB of prompt")
async def prompts(server: Server) -> str:
    session = {"type": "realtime", "instructions": "x" * 20_000_000}
    return await sends(server, "/v1/realtime", event(type="session.update", session=session) * 3)


@attack("texts of commas, dashes, numbers")
async def texts(server: Server) -> str:
    told = set()
    for part in (",", "—", "111,", "1.", "a-", "a+.@a", "$1 ", "9"):
        body = json.dumps({"input": part * (900_000 // len(part)), "language": "en"}).encode()
        told.add(await posts(server, "/v1/audio/speech/reading", body, "application/json"))
        body = json.dumps({"text": part * (900_000 // len(part)), "model": "scripted"}).encode()
        told.add(await posts(server, "/speak", body, "application/json"))
    return " ".join(sorted(told))


@attack("names of languages of 900 kB")
async def names(server: Server) -> str:
    told = set()
    for part in ("(", "en-", "@"):
        body = json.dumps({"text": "hi", "model": "scripted", "language": part * (900_000 // len(part))}).encode()
        told.add(await posts(server, "/speak", body, "application/json"))
    return " ".join(sorted(told))


@attack("96 MB of ADTS noise")
async def noise(server: Server) -> str:
    return await posts(server, "/transcribe", b"\xff\xf1\x50\x80\x02\x1f\xfc" * 13_700_000, "audio/aac")


@attack("96 MB of empty WAV chunks")
async def chunks(server: Server) -> str:
    body = b"RIFF" + struct.pack("<I", 96_000_000) + b"WAVE" + b"junk\0\0\0\0" * 12_000_000
    return await posts(server, "/transcribe", body, "audio/wav")


def resident(pid: int) -> float:
    """Resident memory of a process in MB."""
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True).stdout) / 1000


POLLER = """
import sys, threading, time, httpx
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
with httpx.Client(base_url=sys.argv[1], trust_env=False, timeout=60) as client:
    client.get("/health")
    print("ready", flush=True)
    while not over.wait(0.01):
        began = time.monotonic()
        client.get("/health").raise_for_status()
        print(1000 * (time.monotonic() - began), flush=True)
"""
"""Asks for /health until its input ends. A process of its own: what attacks is busy itself."""


def give_core(server: Server, asker: int) -> None:
    """The first core is for the front's event loop and for who asks for /health; all else of ours has the others."""
    first, *others = sorted(os.sched_getaffinity(1))
    front = server.process.pid
    children = psutil.Process().children(recursive=True)
    threads = [thread.id for child in children for thread in child.threads()]
    for thread in (*threads, *(thread.id for thread in psutil.Process().threads())):
        with contextlib.suppress(ProcessLookupError):  # threads end
            os.sched_setaffinity(thread, {first} if thread in (front, asker) else set(others))


async def watched(server: Server, work: Awaitable[str], own_core: bool = False) -> tuple[str, Watched]:
    """The outcome of an attack, and what was seen meanwhile. Raises AssertionError where /health failed."""
    pipe = asyncio.subprocess.PIPE
    poller = await asyncio.create_subprocess_exec(sys.executable, "-c", POLLER, server.url, stdin=pipe, stdout=pipe)
    assert poller.stdin is not None and poller.stdout is not None
    reading = asyncio.create_task(_lines(poller.stdout, ready := asyncio.Event()))
    await ready.wait()
    before, most = resident(server.process.pid), 0.0
    running = asyncio.ensure_future(work)
    while not running.done():
        if own_core:
            give_core(server, poller.pid)
        most = max(most, await asyncio.to_thread(resident, server.process.pid) - before)
        await asyncio.sleep(0.05)
    poller.stdin.close()
    waits = await reading
    assert await poller.wait() == 0, "/health did not answer"
    return await running, Watched(waits or [0.0], most)


async def _lines(stream: asyncio.StreamReader, ready: asyncio.Event) -> list[float]:
    waits = []
    async for line in stream:
        if line.startswith(b"ready"):
            ready.set()
        else:
            waits.append(float(line))
    ready.set()
    return waits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge-latency", action="store_true")
    parser.add_argument("--only", default="", help="attacks whose names contain this")
    options = parser.parse_args()
    failed = False
    sys.stdout.write(
        "| attack | outcome | /health ms: middle | 99 % | longest | front grew MB |\n|---|---|---|---|---|---|\n"
    )
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder), SPEECHMLX_MODELS=MODELS) as server:
        for path in ("/v1/realtime", "/asr"):  # the first session imports what it needs
            asyncio.run(sends(server, path, frame(PING) * 10_000))
        for name, function in ATTACKS.items():
            if options.only not in name:
                continue
            outcome, seen = asyncio.run(watched(server, function(server), options.judge_latency))
            late = options.judge_latency and seen.at(0.99) > HEALTH
            failed |= (
                late or seen.grown > MOST or any(word.startswith("5") and word != "503" for word in outcome.split())
            )
            figures = f"{seen.at(0.5):.0f} | {seen.at(0.99):.0f} | {max(seen.waits):.0f} | {seen.grown:.0f}"
            sys.stdout.write(f"| {name} | {outcome} | {figures} |\n")
            sys.stdout.flush()
        failed |= "Traceback" in server.log.read_text()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
