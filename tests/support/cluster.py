"""A cluster of two replicas on this machine, with scripted engines, and clients that load it.

Ray keeps to 127.0.0.1; what it writes is in a folder of its own, which has a short name, as its sockets are there.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import websockets
from support.scripted_conversation import LIVE_MODELS

TESTS = Path(__file__).parents[1]
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
      - {{name: SpeechReplica, num_replicas: 2, graceful_shutdown_timeout_s: 4}}
"""
SCRIPT = "steps=3000 work=0.02"
"""A job of a minute."""


@dataclass
class Cluster:
    """A running cluster: its URL, its command's process, the address of Ray, and the folder of its files."""

    url: str
    process: subprocess.Popen[bytes]
    address: str
    folder: Path
    environment: dict[str, str]

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text()

    def processes(self, title: str) -> list[psutil.Process]:
        """Ray's processes whose title begins so, in the order of their ids."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return sorted((one for one in found if _title(one).startswith(title)), key=lambda one: one.pid)

    @property
    def replicas(self) -> list[psutil.Process]:
        return self.processes("ray::ServeReplica")

    def write_config(self, chars: int) -> Path:
        """The config file, with a setting that makes it another one."""
        file = self.folder / "cluster.yaml"
        file.write_text(CONFIG.format(port=self.url.rpartition(":")[2], chars=chars))
        return file

    def update(self, chars: int) -> subprocess.Popen[bytes]:
        """Give the cluster a changed config file."""
        command = [*COMMAND, "up", str(self.write_config(chars)), f"--address={self.address}"]
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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Two replicas until the block ends; its end must leave no process."""
    folder = Path(tempfile.mkdtemp(prefix="speechmlx-", dir="/tmp"))
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RAY_TMPDIR": str(folder),
        "PYTHONPATH": str(TESTS),
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": str(folder / "cache"),
        "SPEECHMLX_KEY_FILE": str(folder / "keys.json"),
        "SPEECHMLX_MODELS": LIVE_MODELS,
        "SPEECHMLX_AUDIO_TIMEOUT": "0",
    }
    url, address = f"http://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    cluster = Cluster(url, None, address, folder, environment)  # type: ignore[arg-type]
    command = [*COMMAND, "up", str(cluster.write_config(4096)), f"--address={address}", "--places=2"]
    try:
        with (folder / "up.log").open("wb") as log:
            cluster.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        _wait_until_ready(cluster)
        yield cluster
    finally:
        left = _stop(cluster.process)
        shutil.rmtree(folder, ignore_errors=True)
    assert not left, f"processes were left: {left}"


def _wait_until_ready(cluster: Cluster) -> None:
    end = time.monotonic() + START_LIMIT
    while "\nReady" not in cluster.log:
        assert cluster.process.poll() is None and time.monotonic() < end, cluster.log
        time.sleep(0.2)
    cluster.wait_for_replicas()


def _stop(process: subprocess.Popen[bytes]) -> list[str]:
    """Stop the cluster. Returns the processes that it left, which are killed then."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
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


async def request(client: httpx.AsyncClient, stream: bool = False) -> Told:
    """A long job over HTTP; `stream` reads its answer as it comes."""
    body = {"text": f"{SCRIPT} bytes=20000", "model": "scripted"}
    try:
        async with client.stream("POST", f"/speak?stream={str(stream).lower()}", json=body) as answer:
            await answer.aread()
            retry = answer.headers.get("retry-after", "none")
            return Told(f"{answer.status_code}, Retry-After {retry}", time.monotonic())
    except httpx.RemoteProtocolError:
        return Told("answer cut", time.monotonic())


async def session(url: str, path: str) -> Told:
    """A live session that lasts until the server closes it."""
    try:
        async with websockets.connect(f"ws{url.removeprefix('http')}{path}", proxy=None) as live:
            while True:
                await live.recv()
    except websockets.ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        return Told(f"closed {code}", time.monotonic())


LIVE = ("/v1/realtime?intent=transcription", "/asr?language=en", "/v1/listen?encoding=linear16&sample_rate=16000")


async def kill_one(cluster: Cluster, each: int) -> tuple[list[Told], int, float]:
    """Load both replicas with `each` clients of every kind, kill one, and give what its clients were told.

    Also how many clients went on with the other replica, and the time of the kill.
    """
    async with httpx.AsyncClient(base_url=cluster.url, timeout=120, trust_env=False, limits=NO_LIMIT) as client:
        jobs = [request(client, stream=number % 2 == 0) for number in range(2 * each)]
        lives = [session(cluster.url, path) for path in LIVE for _ in range(each)]
        clients = [asyncio.create_task(one) for one in (*jobs, *lives)]
        await asyncio.sleep(6.0)  # the jobs have begun
        early = [one.result() for one in clients if one.done()]
        assert not early, early
        cluster.replicas[0].kill()
        killed = time.monotonic()
        done, pending = await asyncio.wait(clients, timeout=3.0)
        for one in pending:
            one.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return [one.result() for one in done], len(pending), killed


NO_LIMIT = httpx.Limits(max_connections=None)
