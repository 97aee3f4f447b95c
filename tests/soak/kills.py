"""The engine process is killed again and again, at random moments, while clients of every kind work.

`scripts/soak kills [--kills 1000] [--servers 6] [--minutes N] [--models scripted|starter]`. Every request must be
answered, or ended with an error, within BOUND; every session must be told. The server process must hold no more memory
at the end than when it had warmed up, log no traceback, and leave no zombie and no temporary file. The kills are shared
by several servers, side by side.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import statistics
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from protocols import conftest
from protocols.conftest import Server, serve
from support import clips
from support.processes import Held, engine, held, zombies
from support.scripted_conversation import LIVE_MODELS
from support.soak_clients import CLIENTS, Target, Told

from speechmlx.audio.decode import decode
from speechmlx.audio.pcm import to_pcm16

BOUND = {"scripted": 120.0, "starter": 300.0}
"""Seconds after which a client that has heard nothing hangs; the machine may be busy."""
WAITS = {"background job": 5}
"""How many BOUNDs a client has whose server works on though engine processes end: each try may wait for another."""
COPIES = 1
"""Clients of each kind at once, at each server."""
EARLY, LATE = 2.0, 6.0
"""Seconds: most kills come before the first, when the process starts and first works; the others before the second."""
GROWTH = 16.0
"""MB that the server process may grow by, from its first tenth of kills to its last."""
SETTLED = 60.0
"""Seconds after the last client in which all work of a server has ended; the next start may wait for half of it."""
SHM = Path("/dev/shm")


@dataclass
class Tally:
    """What became of the requests of one kind of client."""

    outcomes: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    """Seconds."""
    notes: list[str] = field(default_factory=list)
    """What was wrong or lost."""


@dataclass
class Found:
    """What a server did while its engine process was killed."""

    tallies: dict[str, Tally]
    samples: list[Held]
    """Of the server process, after each kill."""
    faults: list[str]
    """What was left over."""


def lives(rng: random.Random) -> Iterator[tuple[bool, float]]:
    """When each process dies: seconds after its start, or after it has come up.

    Two to four die early, then one does not, so that clients are answered too.
    """
    while True:
        for _ in range(rng.randint(2, 4)):
            yield rng.random() < 0.6, rng.uniform(0.0, EARLY)
        yield True, rng.uniform(EARLY, LATE)


async def work(name: str, target: Target, rng: random.Random, bound: float, tally: Tally, stop: asyncio.Event) -> None:
    """One client after another, until `stop`."""
    while not stop.is_set():
        began, limit = time.monotonic(), asyncio.timeout(bound * WAITS.get(name, 1))
        try:
            async with limit:
                await CLIENTS[name](target, rng)
            outcome = "answered"
        except Told:
            outcome = "told"
            await asyncio.sleep(0.1)
        except Exception as error:
            outcome = "hung" if limit.expired() else "wrong"
            what = f"{type(error).__name__} {error} in {where(error)}"
            tally.notes.append(f"{name}: {outcome} after {time.monotonic() - began:.1f} s: {what}")
        tally.outcomes[outcome] += 1
        tally.longest = max(tally.longest, time.monotonic() - began)


def where(error: Exception) -> str:
    """The lines of the client at which it stood when it failed or was stopped."""
    cause = error.__context__ if isinstance(error, TimeoutError) and error.__context__ else error
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if "support" in frame.filename]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


async def kill(server: Server, rng: random.Random, kills: int, until: float) -> list[Held]:
    """Kill the engine process `kills` times, or until a time. Returns what the server process held after each."""
    front = psutil.Process(server.process.pid)
    samples, last = [], 0
    for came_up, seconds in lives(rng):
        while (process := engine(front)) is None or process.pid == last:
            await asyncio.sleep(0.02)
        while came_up and not await is_up(server):
            await asyncio.sleep(0.05)
        await asyncio.sleep(seconds)
        process.kill()
        last = process.pid
        samples.append(held(front))
        if len(samples) == kills or time.monotonic() > until:
            break
    return samples


async def is_up(server: Server) -> bool:
    """Whether /health says that the engine process is ready."""
    with contextlib.suppress(httpx.TimeoutException):  # the machine may be busy
        return (await asyncio.to_thread(server.health))["engine"] == "ok"
    return False


async def soak(server: Server, target: Target, seed: int, kills: int, bound: float, until: float) -> Found:
    """Kills under load, then what is left over."""
    stop = asyncio.Event()
    tallies = {name: Tally() for name in CLIENTS}
    clients = [
        asyncio.create_task(work(name, target, random.Random(f"{seed} {name} {n}"), bound, tallies[name], stop))
        for name in CLIENTS
        for n in range(COPIES)
    ]
    samples = await kill(server, random.Random(seed), kills, until)
    stop.set()
    await asyncio.gather(*clients)
    return Found(tallies, samples, await left_over(server, len(samples)))


async def left_over(server: Server, kills: int) -> list[str]:
    """What the server has still, a while after its last client has gone."""
    front, end = psutil.Process(server.process.pid), time.monotonic() + SETTLED
    while not await is_up(server) or server.health()["jobs"] or zombies(front):
        if time.monotonic() > end:
            return [f"{SETTLED:g} s after all clients: {server.health()}, {zombies(front)} zombies"]
        await asyncio.sleep(0.2)
    page = await asyncio.to_thread(metrics, server)
    faults = [f"{name} is {page[name]}" for name in ("speechmlx_sessions",) if page.get(name)]
    if page["speechmlx_engine_restarts_total"] != kills:
        faults.append(f"{page['speechmlx_engine_restarts_total']:.0f} restarts counted, of {kills}")
    folders = [path.name for path in (server.log.parent / "tmp").iterdir()]
    if len(folders) != 1:
        faults.append(f"temporary files beside the engine process's one folder: {folders}")
    said = server.log.read_text()
    if (place := said.find("Traceback")) >= 0:
        faults.append(
            f"{said.count('Traceback')} tracebacks in the log, the first:\n{said[place - 300 : place + 3000]}"
        )
    return faults


def metrics(server: Server) -> dict[str, float]:
    """Sums of /metrics by name."""
    sums: dict[str, float] = {}
    with server.client(10.0) as client:
        for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? (\S+)$", client.get("/metrics").text, re.MULTILINE):
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums


@contextmanager
def running(folder: Path, models: str) -> Iterator[tuple[Server, Target]]:
    """A server with its own folder for temporary files."""
    (folder / "tmp").mkdir(parents=True)
    temporary = str(folder / "tmp")
    if models == "scripted":
        with serve(folder, SPEECHMLX_MODELS=LIVE_MODELS, TMPDIR=temporary) as server:
            yield server, Target(server.url)
    else:
        speech = to_pcm16(decode(clips.path("jfk").read_bytes(), 16000).samples[: 16000 * 4])
        with serve(folder, "--asr", "whisper-tiny.en", scripted=False, TMPDIR=temporary) as server:
            yield server, Target(server.url, real=True, speech=speech)


def one(folder: Path, models: str, seed: int, kills: int, until: float) -> Found:
    """A server and its kills, from start to stop."""
    shared = set(os.listdir(SHM)) if SHM.exists() else set()
    with running(folder / str(seed), models) as (server, target):
        found = asyncio.run(soak(server, target, seed, kills, BOUND[models], until))
    left = [path.name for path in (folder / str(seed) / "tmp").iterdir()]
    if left:
        found.faults.append(f"temporary files after the server's end: {left}")
    if SHM.exists() and (more := {name for name in os.listdir(SHM) if "speechmlx" in name} - shared):
        found.faults.append(f"shared memory left: {more}")
    if server.process.returncode != 0:
        found.faults.append(f"the server ended with status {server.process.returncode}")
    return found


def growth(samples: list[Held]) -> float:
    """MB from the second tenth of the samples to the last tenth, by their medians; 0 for too few to tell."""
    tenth = len(samples) // 10
    if tenth < 3:
        return 0.0
    memory = [sample.memory for sample in samples]
    return statistics.median(memory[-tenth:]) - statistics.median(memory[tenth : 2 * tenth])


def report(found: list[Found]) -> list[str]:
    """Print the table. Returns what passed a bound."""
    lines = [f"{'client':16}{'answered':>10}{'told':>8}{'wrong':>8}{'hung':>8}{'longest':>10}"]
    faults = []
    for name in CLIENTS:
        outcomes = sum((one.tallies[name].outcomes for one in found), Counter())
        longest = max(one.tallies[name].longest for one in found)
        cells = "".join(f"{outcomes[what]:>{width}}" for what, width in zip(COLUMNS, (10, 8, 8, 8), strict=True))
        lines.append(f"{name:16}{cells}{longest:>8.1f} s")
        notes = [note for one in found for note in one.tallies[name].notes]
        faults += notes[:5]
        if outcomes["hung"]:
            faults.append(f"{name}: {outcomes['hung']} hung")
    for number, one in enumerate(found):
        first, last = one.samples[len(one.samples) // 10], one.samples[-1]
        lines.append(
            f"server {number}: {len(one.samples)} kills, {first.memory:.0f} MB -> {last.memory:.0f} MB "
            f"({growth(one.samples):+.1f} MB), descriptors {first.descriptors} -> {last.descriptors}, threads "
            f"{first.threads} -> {last.threads}"
        )
        faults += one.faults
        if growth(one.samples) > GROWTH:
            faults.append(f"server {number} grew by {growth(one.samples):.1f} MB, over {GROWTH:g} MB")
    sys.stdout.write("\n".join([*lines, *(f"FAULT {fault}" for fault in faults)]) + "\n")
    return faults


COLUMNS = ("answered", "told", "wrong", "hung")


async def soak_all(folder: Path, models: str, kills: int, servers: int, minutes: float = 1e6) -> list[Found]:
    """The kills, shared by the servers, which run side by side; as many as there is time for."""
    each, until = -(-kills // servers), time.monotonic() + 60 * minutes
    return await asyncio.gather(*(asyncio.to_thread(one, folder, models, seed, each, until) for seed in range(servers)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--servers", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=1e6, help="end sooner, with fewer kills")
    parser.add_argument("--models", choices=tuple(BOUND), default="scripted")
    options = parser.parse_args()
    conftest.START_LIMIT = conftest.STOP_LIMIT = 300.0  # the machine may be busy
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soaking = soak_all(Path(folder), options.models, options.kills, options.servers, options.minutes)
        return 1 if report(asyncio.run(soaking)) else 0


if __name__ == "__main__":
    sys.exit(main())
