"""The servers that speak live wires: ours, and the peers', each in an environment of its own. All bind 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil
import wire_clients
from peer_weights import MODELS, prepared
from support import clips, scripted_conversation
from wire_clients import NoSuchWire, WireClient

ROOT = Path(__file__).parents[2]
OFFLINE = {"HF_HUB_OFFLINE": "1"}
"""No model hub: all weights are in folders."""
COMMAND = str(Path(sys.executable).with_name("audio-server"))
START_LIMIT = 120.0
SESSIONS = 64
POLICIES = {"localagreement": "LocalAgreement", "simulstreaming": "SimulStreaming"}
"""WhisperLiveKit's, and their names."""


@dataclass(frozen=True)
class WireServer:
    """A server with one model: how it is started on a port, and what it prints when it takes connections.

    `venv`: the folder whose absence means that it could not be installed.
    """

    command: Callable[[int, int], list[str]]
    """From its port, and from a second port for a wire that has its own."""
    ready: str
    venv: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)


class RunningServer:
    """A started server: its clients, and what its processes have used. `port` is that of HTTP."""

    def __init__(self, process: psutil.Process, port: int, second: int) -> None:
        self._process = process
        self._ports: dict[type[WireClient], int] = {wire_clients.Wyoming: second}
        self.port = port

    def connect(self, wire: type[WireClient]) -> WireClient:
        return wire(self._ports.get(wire, self.port))

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used since they started."""
        tree = [self._process, *self._process.children(recursive=True)]
        return sum(used.user + used.system for used in (one.cpu_times() for one in tree))


@contextmanager
def running(server: WireServer) -> Iterator[RunningServer]:
    """A fresh process, ended with the block. NoSuchWire where it is not installed, RuntimeError where it fails."""
    if server.venv is not None and not (server.venv / "complete").exists():
        raise NoSuchWire(f"{server.venv.relative_to(ROOT)} is not complete: scripts/bench could not install it")
    port, second = _free_ports()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                server.command(port, second),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | server.environment,
                cwd=folder,
            )
        try:
            _wait(process, server, log)
            yield RunningServer(psutil.Process(process.pid), port, second)
        finally:
            _end(process)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def _wait(process: subprocess.Popen[bytes], server: WireServer, log: Path) -> None:
    limit = time.monotonic() + START_LIMIT
    while server.ready not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > limit:
            said = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
            raise RuntimeError(f"it did not start: {said}")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in psutil.wait_procs(children, 5)[1]:
        child.kill()


@cache
def speaks_wyoming() -> bool:
    told = subprocess.run([COMMAND, "serve", "--help"], capture_output=True, text=True, check=True)
    return "--wyoming" in told.stdout


def ours(model: str, wire: type[WireClient]) -> WireServer:
    def command(port: int, second: int) -> list[str]:
        return [*_ours(port, second, wire), "--asr", MODELS[model]]

    return WireServer(command, "\nReady")


def scripted(wire: type[WireClient], cache_folder: str) -> WireServer:
    """Ours with models that take no time: a tone is speech, and each 100 ms of it a word."""
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = {
        "SPEECHMLX_CATALOG": "support.scripted:extend",
        "SPEECHMLX_CACHE": cache_folder,
        "SPEECHMLX_MODELS": scripted_conversation.MODELS.replace("asr=talking-asr", "asr=talking-live"),
        "PYTHONPATH": path,
    }
    return WireServer(lambda port, second: _ours(port, second, wire), "\nReady", None, environment)


def _ours(port: int, second: int, wire: type[WireClient]) -> list[str]:
    flags = ["--port", str(port), "--profile", "starter", "--max-sessions", str(SESSIONS), "--log-level", "warning"]
    if wire is wire_clients.Wyoming:
        if not speaks_wyoming():
            raise NoSuchWire("audio-server has no --wyoming")
        flags += ["--wyoming", f"127.0.0.1:{second}"]
    return [COMMAND, "serve", *flags]


def whisperlivekit(model: str, policy: str) -> WireServer:
    """WhisperLiveKit's own server on faster-whisper; `policy`: a key of POLICIES."""
    venv = ROOT / ".venv/peers-whisperlivekit"

    def command(port: int, second: int) -> list[str]:
        weights = prepared(model)
        reads = ["--model-path", str(weights.ct2)]
        if policy == "simulstreaming":
            reads = ["--encoder-model-path", str(weights.ct2), "--decoder-model-path", str(weights.torch)]
        start = [str(venv / "bin/whisperlivekit-server"), "--host", "127.0.0.1", "--port", str(port), "--pcm-input"]
        warm = ["--warmup-file", str(clips.path("jfk")), "--language", "en"]
        return [*start, *warm, "--model", model, *reads, "--backend", "faster-whisper", "--backend-policy", policy]

    return WireServer(command, "Uvicorn running on", venv, OFFLINE)


def whisper_live(model: str) -> WireServer:
    """whisper-live's own server on faster-whisper, one model for all clients."""
    venv = ROOT / ".venv/peers-whisper-live"

    def command(port: int, second: int) -> list[str]:
        launcher = str(Path(__file__).with_name("peer_whisper_live.py"))
        return [str(venv / "bin/python"), launcher, str(port), str(prepared(model).ct2), str(SESSIONS)]

    return WireServer(command, "server listening on", venv, OFFLINE)
