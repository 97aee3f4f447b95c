"""Benchmarks of the server as a client sees it, beside `mlx_audio.server`: start, /health, speech, memory, and what
another busy process costs."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import events
import numpy as np
import psutil
from report import Row, show
from support import clips

from speechmlx.models.catalog import CATALOG
from speechmlx.models.store import cache_folder, fetch

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv" / "peers"
PEER = "mlx_audio.server"
VOICE = "af_heart"
TWO = "The quick brown fox jumps over the lazy dog. Then it walks home through the quiet forest."
TWELVE = " ".join(
    f"{opening} the people of the small town go down to the harbour and look at the ships."
    for opening in (
        "In the morning", "At noon", "In the evening", "On Monday", "On Friday", "On Sunday",
        "In spring", "In summer", "In autumn", "In winter", "When it rains", "When the sun comes out",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """A server to measure: how to start it on a port, what to ask when it is up, how to have it speak."""

    name: str
    command: Callable[[int], list[str]]
    health: str
    speech: str
    body: Callable[[str], dict[str, object]]
    environment: dict[str, str] = field(default_factory=dict)


OURS = Contender(
    "ours",
    lambda port: [str(Path(sys.executable).with_name("audio-server")), "--port", str(port), "--profile", "starter"],
    "/health",
    "/speak?stream=true",
    lambda text: {"text": text, "engine": "kokoro", "voice": VOICE},
)


def ours(*flags: str) -> Contender:
    return Contender(OURS.name, lambda port: [*OURS.command(port), *flags], OURS.health, OURS.speech, OURS.body)


def peer(as_shipped: bool = False) -> Contender:
    """mlx-audio's server, patched to work on a CPU; `as_shipped` where only its start-up is looked at."""

    def command(port: int) -> list[str]:
        if as_shipped:
            return [sys.executable, "-m", PEER, "--host", "127.0.0.1", "--port", str(port)]
        launcher = str(Path(__file__).with_name("peer_server.py"))
        return [sys.executable, "-m", "speechmlx.runtime.worker.blas", sys.executable, launcher, str(port)]

    def body(text: str) -> dict[str, object]:
        folder = str(fetch(CATALOG.resolve("kokoro-82m"), cache_folder()))
        return {"model": folder, "input": text, "voice": VOICE, "response_format": "wav", "stream": True}

    return Contender(PEER, command, "/v1/models", "/v1/audio/speech", body, {"PYTHONPATH": str(PEERS)})


class Server:
    """A running contender."""

    def __init__(self, contender: Contender, process: subprocess.Popen[bytes], port: int) -> None:
        self.contender = contender
        self.process = psutil.Process(process.pid)
        self.port = port

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def post(self, path: str, body: bytes, content_type: str) -> tuple[float, float, bytes]:
        """Seconds to the first byte of audio (or of anything else), seconds to the last, and the body."""
        connection = self.connect()
        start = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        data = response.read(44)
        data += response.read1()
        first = time.perf_counter() - start
        data += response.read()
        total = time.perf_counter() - start
        connection.close()
        if response.status != 200 or len(data) < 45:
            raise RuntimeError(f"{self.contender.name} answered {response.status} to {path}: {data[:500]!r}")
        return first, total, data

    def speak(self, text: str) -> tuple[float, float]:
        body = json.dumps(self.contender.body(text)).encode()
        return self.post(self.contender.speech, body, "application/json")[:2]

    def memory(self) -> list[float]:
        """Resident MB of the process and of each of its children."""
        processes = [self.process, *self.process.children(recursive=True)]
        return [process.memory_info().rss / 1e6 for process in processes]


@contextmanager
def running(contender: Contender, extra: Mapping[str, str] = {}) -> Iterator[tuple[Server, float]]:
    """A fresh process and the seconds it took to its first 200; ended with the block. `extra`: of its environment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        environment = os.environ | contender.environment | dict(extra)
        process = subprocess.Popen(contender.command(port), stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            server = Server(contender, process, port)
            while process.poll() is None and time.perf_counter() - start < 60 and not _is_up(server):
                time.sleep(0.001)
            took = time.perf_counter() - start
            if process.poll() is not None or took > 60:
                log.seek(0)
                raise RuntimeError(f"{contender.name} did not start:\n{log.read().decode()}")
            yield server, took
        finally:
            children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.terminate()
            _, left = psutil.wait_procs([psutil.Process(process.pid), *children], 30)
            for straggler in left:
                straggler.kill()
            process.wait()


def _is_up(server: Server) -> bool:
    connection = server.connect()
    try:
        connection.request("GET", server.contender.health)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Pings:
    """How long each answer took, in order."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.answered: list[float] = []
        """Without what this client waited for a CPU: machines have more of them, and clients are elsewhere."""
        self.computed: list[float] = []
        """Without what the server waited for one either."""


@contextmanager
def pinging(server: Server) -> Iterator[Pings]:
    """Asks for the health all the time over one connection, from a process of its own; known at the end."""
    script = str(Path(__file__).with_name("pinger.py"))
    command = [sys.executable, script, str(server.port), server.contender.health, str(server.process.pid)]
    pings = Pings()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield pings
        finally:
            printed, _ = process.communicate()
    for line in printed.splitlines():
        took, mine, theirs = map(float, line.split())
        pings.seconds.append(took)
        pings.answered.append(took - mine)
        pings.computed.append(took - mine - theirs)


def together(count: int, call: Callable[[], object]) -> None:
    """`call` in `count` threads at once; an error in one is raised here."""
    errors: list[Exception] = []

    def guarded() -> None:
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


FLOORS = {
    "Python alone": ["-c", "pass"],
    "Python without site": ["-S", "-c", "pass"],
    "starlette and hypercorn": ["-c", "import starlette.applications, starlette.routing, hypercorn.asyncio"],
}
"""What no server on these packages can be faster than."""


def bytecode(folder: str) -> dict[str, str]:
    """The environment of a Python that keeps its bytecode in `folder`, and finds none elsewhere."""
    return {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}


def start_up(runs: int) -> list[Row]:
    """From the start of the process to the first 200, with bytecode as after an installation and without; the floors.

    All take turns, so that a busy moment of the machine meets each of them.
    """
    found: dict[str, list[float]] = {}
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as kept:
        compiled = bytecode(kept)
        for number in range(runs + 1):
            with running(OURS, compiled) as (_, seconds):
                took = {"start to first 200": seconds}
            with running(peer(as_shipped=True), compiled) as (_, seconds):
                if number:
                    theirs.append(seconds)
            with tempfile.TemporaryDirectory() as empty, running(OURS, bytecode(empty)) as (_, seconds):
                took["the same without bytecode"] = seconds
            for name, arguments in FLOORS.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *arguments], env=os.environ | compiled, check=True)
                took[f"of it {name}"] = time.perf_counter() - start
            for name, seconds in took.items():
                found.setdefault(name, []).extend([seconds] if number else [])  # the first run compiles
    rows = []
    for name, times in found.items():
        value = statistics.median(theirs) if name == "start to first 200" else None
        rows.append(Row(f"{name}, median of {runs}", statistics.median(times), "s", value, PEER))
    return rows


def upload(server: Server, body: bytes, kind: str) -> None:
    """Send what is no recording, eight times: the server takes it, looks at it and refuses it."""
    refused(server, "/transcribe", body, kind, 415, 8)


def too_long(server: Server, body: bytes) -> None:
    """Send a text over the limit, 300 times: the server refuses it by its announced length and takes none of it."""
    refused(server, "/speak", body, "application/json", 413, 300)


def refused(server: Server, path: str, body: bytes, kind: str, expected: int, times: int) -> None:
    """Send `body`, which has to be answered with the status `expected`, `times` times."""
    for _ in range(times):
        connection = server.connect()
        connection.request("POST", path, body, {"Content-Type": kind})
        status = connection.getresponse().status
        connection.close()
        if status != expected:
            raise RuntimeError(f"{path} answered {status} and not {expected}")


WAITS = {"answered": "the client's", "computed": "any"}
"""What is left out of the times of Pings."""


def health(seconds_idle: float) -> list[Row]:
    """/health while idle, while Kokoro loads and speaks first, and during four syntheses, transcriptions, uploads."""
    found: dict[str, dict[str, Pings]] = {}
    for contender in (OURS, peer()):
        times = found[contender.name] = {}
        with running(contender) as (server, _):
            with pinging(server) as times["idle"]:
                time.sleep(seconds_idle)
            with pinging(server) as times["while a model loads and first speaks"]:
                server.speak("Hello.")
            with pinging(server) as times["during four syntheses"]:
                together(4, partial(server.speak, TWO))
            if contender is OURS:
                transcribe = partial(server.post, "/transcribe", clips.path("jfk").read_bytes(), "audio/wav")
                transcribe()
                with pinging(server) as times["during four transcriptions"]:
                    together(4, transcribe)
                with pinging(server) as times["during four times 8 uploads of 64 MB"]:
                    together(4, partial(upload, server, bytes(64_000_000), "audio/flac"))
                document = json.dumps({"file": b64encode(os.urandom(24_000_000)).decode()}).encode()
                with pinging(server) as times["during four times 8 uploads of 32 MB of JSON"]:
                    together(4, partial(upload, server, document, "application/json"))
                text = json.dumps({"text": "word " * 1_000_000}).encode()
                with pinging(server) as times["during four times 300 texts of 5 MB that are refused"]:
                    together(4, partial(too_long, server, text))
    rows = []
    for when, mine in found[OURS.name].items():
        theirs = found[PEER].get(when)
        for name, share in (("p50", 50), ("p99", 99), ("max", 100)):
            value = None if theirs is None else float(np.percentile(theirs.seconds, share)) * 1e3
            took = float(np.percentile(mine.seconds, share)) * 1e3
            rows.append(Row(f"/health {when}, {name}", took, "ms", value, PEER))
        for name in WAITS:
            value = None if theirs is None else float(np.percentile(getattr(theirs, name), 99)) * 1e3
            took = float(np.percentile(getattr(mine, name), 99)) * 1e3
            rows.append(Row(f"/health {when}, p99 without {WAITS[name]} wait for a CPU", took, "ms", value, PEER))
    return rows


def speech(runs: int) -> list[Row]:
    """First byte and last byte of two and of twelve sentences, warm."""
    found: dict[str, dict[str, float]] = {}
    for contender in (OURS, peer()):
        times = found[contender.name] = {}
        with running(contender) as (server, _):
            server.speak("Hello.")
            for name, text in (("two", TWO), ("twelve", TWELVE)):
                taken = [server.speak(text) for _ in range(runs)]
                times[f"{name} sentences, first audio"] = statistics.median(first for first, _ in taken)
                times[f"{name} sentences, all audio"] = statistics.median(total for _, total in taken)
    return [Row(what, mine, "s", found[PEER][what], PEER) for what, mine in found[OURS.name].items()]


@contextmanager
def busy() -> Iterator[None]:
    """One process per two CPUs that computes all the time."""
    count = max(1, (os.cpu_count() or 1) // 2)
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(1)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def beside(runs: int) -> list[Row]:
    """Two sentences of speech and a clip to recognise, warm: alone, and beside `busy`."""
    found: dict[str, dict[str, float]] = {}
    for contender in (ours("--asr", "whisper-tiny.en"), peer()):
        times = found[contender.name] = {}
        with running(contender) as (server, _):
            work: dict[str, Callable[[], Sequence[Any]]] = {"two sentences": partial(server.speak, TWO)}
            if contender.name == OURS.name:
                hear = partial(server.post, "/transcribe", clips.path("jfk").read_bytes(), "audio/wav")
                work["an 11 s clip"] = hear
            for what, call in work.items():
                call()
                times[f"{what}, alone"] = statistics.median(call()[1] for _ in range(runs))
                with busy():
                    times[f"{what}, beside a busy process"] = statistics.median(call()[1] for _ in range(runs))
    return [Row(what, mine, "s", found[PEER].get(what), PEER) for what, mine in found[OURS.name].items()]


def memory() -> list[Row]:
    """Resident memory with nothing loaded, with Kokoro loaded, and after the idle model was unloaded."""
    found: dict[str, list[list[float]]] = {}
    for contender, wait in ((ours("--idle-unload", "2"), 6), (peer(), 0)):
        with running(contender) as (server, _):
            time.sleep(2)
            stages = [server.memory()]
            server.speak(TWO)
            stages.append(server.memory())
            time.sleep(wait)
            found[contender.name] = [*stages, server.memory()]
    rows = []
    for stage, mine, theirs in zip(("nothing loaded", "Kokoro loaded", "idle again"), *found.values(), strict=True):
        parts = f"front {mine[0]:.0f}, engine process {sum(mine[1:]):.0f}"
        rows.append(Row(f"memory, {stage} ({parts})", sum(mine), "MB", sum(theirs), PEER))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    args = parser.parse_args()
    quick = args.quick
    rows = [*start_up(3 if quick else 5), *health(2 if quick else 10), *events.rows()]
    rows += [*speech(1 if quick else 3), *beside(3 if quick else 5), *memory()]
    show("Server", rows)


if __name__ == "__main__":
    main()
