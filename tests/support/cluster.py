"""A cluster of two replicas on this machine, with scripted engines, and clients that load it.

Ray keeps to addresses of the loopback interface, one for each of the two Macs that are meant. What it writes is in a
folder of its own, which has a short name, as its sockets are there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import psutil
import websockets
from support.live_wires import RATE, SOCKETS
from support.resuming import Resuming, resuming
from support.scripted_conversation import LIVE_MODELS, NUMBERS, tone
from support.scripted_loudness import spelt_in_tones

TESTS = Path(__file__).parents[1]
ADDRESSES = ("127.0.0.2", "127.0.0.3")
START_LIMIT = 240.0
"""Seconds, of a machine that is busy."""
CONFIG = """
proxy_location: HeadOnly
http_options: {{host: 127.0.0.1, port: {port}}}
applications:
  - name: speechmlx
    route_prefix: /
    import_path: speechmlx.cluster:app
    args: {{profile: starter, max_input_chars: {chars}}}
    deployments:
      - {{name: SpeechReplica, {replicas}, graceful_shutdown_timeout_s: 4}}
"""
TWO = "num_replicas: 2"
AS_NEEDED = (
    "autoscaling_config: {min_replicas: 1, max_replicas: 2, upscale_delay_s: 1, downscale_delay_s: 1, "
    "look_back_period_s: 11, policy: {policy_function: 'speechmlx.cluster.autoscaling:wanted_replicas'}}"
)
SCRIPT = "steps=3000 work=0.02"
"""A job of a minute."""


@dataclass
class Cluster:
    """A running cluster of two: its URL, its two commands, where Ray is, and the folder of its files."""

    url: str
    process: subprocess.Popen[bytes]
    joined: subprocess.Popen[bytes]
    address: str
    folder: Path
    environment: dict[str, str]

    @property
    def log(self) -> str:
        return "".join((self.folder / f"{name}.log").read_text() for name in ("up", "join"))

    def processes(self, title: str) -> list[psutil.Process]:
        """Ray's processes whose title begins so, in the order of their ids."""
        found = [one for root in (self.process, self.joined) for one in descendants(root)]
        return sorted((one for one in found if _title(one).startswith(title)), key=lambda one: one.pid)

    @property
    def replicas(self) -> list[psutil.Process]:
        return self.processes("ray::ServeReplica")

    def update(self, chars: int = 4096, replicas: str = TWO) -> subprocess.Popen[bytes]:
        """Give the cluster a config file with a changed setting, or another number of replicas."""
        file = self.folder / "changed.yaml"
        file.write_text(CONFIG.format(port=self.url.rpartition(":")[2], chars=chars, replicas=replicas))
        command = [*COMMAND, "up", str(file), f"--address={self.address}"]
        return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL)

    def wait_for_replicas(self, but: int = 0) -> None:
        """Wait until two replicas serve, neither of which is the process `but`."""
        end = time.monotonic() + START_LIMIT
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            while time.monotonic() < end:
                found = {one.pid for one in self.replicas} - {but}
                if len(found) == 2 and all(client.get("/health").status_code == 200 for _ in range(4)):
                    return
                time.sleep(0.2)
        raise AssertionError(f"no two replicas:\n{self.log}")


COMMAND = [str(Path(sys.executable).with_name("audio-server")), "cluster"]


def _title(process: psutil.Process) -> str:
    """What a process calls itself; "" once it has ended."""
    try:
        return next(iter(process.cmdline()), "")
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that a process has started; none once it has ended."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _check(address: str) -> None:
    """Raises RuntimeError where it is none of this machine's: Linux has all of 127.0.0.0/8, macOS 127.0.0.1 alone."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise RuntimeError(
                f"{address} is not this machine's; on a Mac: sudo ifconfig lo0 alias {address}"
            ) from error


@contextmanager
def running_cluster(models: str = LIVE_MODELS, cache: Path | None = None) -> Iterator[Cluster]:
    """Two replicas until the block ends, as on two Macs: one command begins a cluster, the other joins it.

    `models` are the default ones, `cache` is the folder of their weights. The end must leave no process.
    """
    for address in ADDRESSES:
        _check(address)
    folder = Path(tempfile.mkdtemp(prefix="speechmlx-", dir="/tmp"))
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RAY_TMPDIR": str(folder),
        "RAY_agent_register_timeout_ms": "100000",  # the machine may be busy
        "RAY_raylet_start_wait_time_s": "100",
        "PYTHONPATH": str(TESTS),
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(cache or folder / "cache"),
        "SPEECHMLX_KEY_FILE": str(folder / "keys.json"),
        "SPEECHMLX_JOB_FOLDER": str(folder / "jobs"),
        "SPEECHMLX_MODELS": models,
        "SPEECHMLX_AUDIO_TIMEOUT": "0",
    }
    port, address = free_port(), f"{ADDRESSES[0]}:{free_port()}"
    file = folder / "cluster.yaml"
    file.write_text(CONFIG.format(port=port, chars=4096, replicas=TWO))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        up, joined = (
            stack.enter_context(_command(words, environment, folder / f"{words[0]}.log"))
            for words in (["up", str(file), f"--address={address}"], ["join", address, f"--own={ADDRESSES[1]}"])
        )
        cluster = Cluster(f"http://127.0.0.1:{port}", up, joined, address, folder, environment)
        _wait_until_ready(cluster)
        yield cluster


@contextmanager
def _command(words: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of the cluster, stopped at the end of the block. Ray has to be up for one that joins."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, *words], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + START_LIMIT
        while words[0] == "up" and not listens(words[-1].rpartition("=")[2]):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        yield process
    finally:
        left = _stop(process)
    assert not left, f"processes were left: {left}"


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), 1.0):
        return True
    return False


def _wait_until_ready(cluster: Cluster) -> None:
    end = time.monotonic() + START_LIMIT
    while "\nReady" not in cluster.log:
        over = [one.poll() is not None for one in (cluster.process, cluster.joined)]
        assert not any(over) and time.monotonic() < end, cluster.log
        time.sleep(0.2)
    cluster.wait_for_replicas()


def _stop(process: subprocess.Popen[bytes]) -> list[str]:
    """Stop a command. Returns the processes that it left, which are killed then."""
    children = descendants(process)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(children, timeout=10)
    names = [f"{one.pid} {_title(one)}" for one in left]
    for one in left:
        one.kill()
    return names


@dataclass
class Told:
    """What a client was told, and when: seconds of time.monotonic."""

    what: str
    when: float
    began: float = 0.0
    """When the attempt began."""

    def after(self, killed: float) -> float:
        """Seconds that the client waited for it since `killed`, or since it began its attempt after that."""
        return self.when - max(killed, self.began)


async def request(client: httpx.AsyncClient, stream: bool = False) -> Told:
    """A long job over HTTP; `stream` reads its answer as it comes."""
    body = {"text": f"{SCRIPT} bytes=20000", "model": "scripted"}
    try:
        async with client.stream("POST", f"/speak?stream={str(stream).lower()}", json=body) as answer:
            await answer.aread()
            retry = answer.headers.get("retry-after", "none")
            return Told(f"{answer.status_code}, Retry-After {retry}", time.monotonic())
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return Told("answer cut", time.monotonic())


async def session(url: str, path: str) -> Told:
    """A live session that lasts until the server closes it."""
    try:
        async with websockets.connect(f"ws{url.removeprefix('http')}{path}", proxy=None, open_timeout=30) as live:
            while True:
                await live.recv()
    except websockets.InvalidStatus as refused:
        retry = refused.response.headers.get("retry-after", "none")
        return Told(f"{refused.response.status_code}, Retry-After {retry}", time.monotonic())
    except websockets.ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        return Told(f"closed {code}", time.monotonic())


async def until(killed: asyncio.Event, begin: Callable[[], Awaitable[Told]]) -> Told:
    """What a client is told that tries again where it is told to, until a replica is killed: machines are busy."""
    while True:
        began = time.monotonic()
        told = replace(await begin(), began=began)
        if killed.is_set() or told.what not in (RETRY, FULL):
            return told
        await asyncio.sleep(1.0)


LIVE = ("/v1/realtime?intent=transcription", "/asr?language=en", "/v1/listen?encoding=linear16&sample_rate=16000")


async def kill_one(cluster: Cluster, each: int) -> tuple[list[Told], int, float]:
    """Load both replicas with `each` clients of every kind, kill one, and give what its clients were told.

    Also how many clients went on with the other replica, and the time of the kill.
    """
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=cluster.url, timeout=120, trust_env=False, limits=NO_LIMIT) as client:
        kinds: list[Callable[[], Awaitable[Told]]] = [partial(request, client, stream) for stream in (False, True)]
        kinds += [partial(session, cluster.url, path) for path in LIVE]
        clients = [asyncio.create_task(until(over, begin)) for begin in kinds for _ in range(each)]
        await asyncio.sleep(6.0)  # they have begun
        early = [one.result() for one in clients if one.done()]
        assert not early, early
        over.set()
        cluster.replicas[0].kill()
        killed = time.monotonic()
        done, pending = await asyncio.wait(clients, timeout=3.0)
        for one in pending:
            one.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [one.result() for one in done], len(pending), killed


TURNS = ((1, 2, 3, 4, 5, 6, 7), (9, 8, 7, 6, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8), (2, 4, 6, 8, 1, 3))
"""Numbers that are said, by turn, to a cluster with LOUDNESS_MODELS."""
SAID = [NUMBERS[number] for turn in TURNS for number in turn]
PIECE = 0.1
"""Seconds of audio that clients send at once, and as often."""


@dataclass
class Resumed:
    """What a live client heard in the end, and when it went on at another replica, if it had to: time.monotonic."""

    wire: str
    words: list[str]
    failures: list[str]
    went_on: list[float]


async def resume_all(cluster: Cluster, each: int) -> tuple[list[Resumed], float]:
    """`each` clients of every live wire speak; one replica is killed in mid-speech. Also the time of the kill."""
    async with AsyncExitStack() as stack:
        wires = [wire for wire in SOCKETS for _ in range(each)]
        clients = [await _begun(stack, cluster.url, wire) for wire in wires]
        speaking = [asyncio.create_task(_speak(wire, one)) for wire, one in zip(wires, clients, strict=True)]
        await asyncio.sleep(3.2)
        cluster.replicas[0].kill()
        killed = time.monotonic()
        return list(await asyncio.gather(*speaking)), killed


async def _begun(stack: AsyncExitStack, url: str, wire: str) -> Resuming:
    """A session that has begun; a replica that is full, or Ray's proxy, may say no at first."""
    async with asyncio.timeout(60):
        while True:
            async with AsyncExitStack() as attempt:
                with suppress(websockets.InvalidStatus):
                    one = await attempt.enter_async_context(resuming(wire, url))
                    while not (one.line.received or one.broken):
                        await asyncio.sleep(0.02)
                    await asyncio.sleep(0.05)
                    if not one.broken:
                        stack.push_async_exit(attempt.pop_all())
                        return one
            await asyncio.sleep(1.0)


async def _speak(wire: str, one: Resuming) -> Resumed:
    """Say TURNS at the pace of speech, and come back whenever the connection breaks."""
    pause, went_on = tone(1.0, level=0.0, rate=RATE), list[float]()
    audio = b"".join(spelt_in_tones(turn) + pause for turn in TURNS)
    size = round(PIECE * RATE) * 2
    for place in range(0, len(audio), size):
        await one.client.send(audio[place : place + size])
        await asyncio.sleep(PIECE)
        if one.broken:
            await _come_back(one)
            went_on.append(time.monotonic())
    words = [word.strip(".,!?").lower() for word in await one.client.finish()]
    return Resumed(wire, words, one.client.failures, went_on)


async def _come_back(one: Resuming) -> None:
    """Try again for a while: the proxy may not know yet that the replica is lost, or the other one may be full."""
    async with asyncio.timeout(30):
        while True:
            with suppress(websockets.InvalidStatus, websockets.ConnectionClosed, AssertionError):
                await one.come_back()
                return
            await asyncio.sleep(0.2)


RETRY = "503, Retry-After 1"
FULL = "closed 1013"
EXPECTED = (RETRY, "answer cut", "closed 1012", FULL)
"""What a client of a killed replica may be told; 1013 where it finds the other one full of sessions."""
NO_LIMIT = httpx.Limits(max_connections=None)
