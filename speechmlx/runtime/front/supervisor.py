"""The front's half of the pipe: starts the engine process, moves messages, and starts it again when it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from speechmlx.runtime import scratch
from speechmlx.runtime.ipc.framing import Part, Unpacker, pack
from speechmlx.runtime.ipc.messages import Ready, Setup, ToEngine
from speechmlx.runtime.worker import blas

log = logging.getLogger(__name__)

State = Literal["starting", "ok", "degraded", "stopped"]

SLICE = 256 * 1024
"""Bytes per send and receive: what the event loop gives the pipe before it looks at others."""

STEADY = 10.0
"""Seconds after which a process that ends did not fail at start: it is started again at once."""

MAX_BACKOFF = 30.0

PATIENCE = 2.0
"""Seconds a process gets to end once its pipe is closed."""


class Supervisor:
    """One engine process at a time. `on_message` gets what it says, `on_up` its start, `on_lost` why it ended."""

    def __init__(
        self,
        setup: Setup,
        log_level: str,
        on_message: Callable[[object], None],
        on_up: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.state: State = "starting"
        self.device = ""
        self.pid = 0
        self._setup = setup
        self._log_level = log_level
        self._on_message = on_message
        self._on_up = on_up
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: socket.socket | None = None
        self._out: deque[memoryview] = deque()
        self._writing = False
        self._failures = 0
        self._began = 0.0
        self._restart: asyncio.TimerHandle | None = None
        self._reaping: set[asyncio.Future[None]] = set()

    @property
    def up(self) -> bool:
        """Whether messages reach an engine process that said Ready."""
        return self.state == "ok"

    def start(self) -> None:
        """Spawn the process. It says `Ready` when MLX is in."""
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # Its library links and compiled kernels: gone with it.
        self._folder = scratch.folder()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "speechmlx.runtime.worker.process", str(theirs.fileno()), self._log_level],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=blas.environment(os.environ, Path(self._folder.name)),
            )
        self.pid = self._process.pid
        self._pipe = ours
        self._unpacker = Unpacker()
        self._began = time.monotonic()
        self._loop.add_reader(ours.fileno(), self._receive)
        self.send(self._setup)

    def send(self, message: ToEngine) -> None:
        """Queue a message; large arrays leave in slices between other events. Dropped when no process is there."""
        if self._pipe is None:
            return
        parts: list[Part] = pack(message)
        self._out.extend(memoryview(part).cast("B") for part in parts if len(part))
        if not self._writing:
            self._flush()

    def recycle(self) -> None:
        """Replace an idle process by a fresh one: the only unload that surely gives memory back."""
        self._leave()
        self.state = "starting"
        self._start_again()

    async def stop(self) -> None:
        """End the process: its pipe closes, and SIGKILL if that does not end it."""
        self.state = "stopped"
        if self._restart is not None:
            self._restart.cancel()
        self._leave()
        if self._reaping:
            await asyncio.wait(self._reaping)

    # --- the pipe ---

    def _receive(self) -> None:
        assert self._pipe is not None
        try:
            data = self._pipe.recv(SLICE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        for message in self._unpacker.feed(data):
            if isinstance(message, Ready):
                self.device = message.device
                self.state = "ok"
                took = time.monotonic() - self._began
                log.info("the engine process is ready: %s, pid %d, after %.1f s", self.device, self.pid, took)
                self._on_up()
            else:
                self._on_message(message)

    def _flush(self) -> None:
        assert self._pipe is not None
        try:
            for _ in range(4):
                if not self._out:
                    break
                sent = self._pipe.send(self._out[0][:SLICE])
                if sent == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._out.clear()  # the reader sees the end and says so
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._loop.add_writer(self._pipe.fileno(), self._flush)
            else:
                self._loop.remove_writer(self._pipe.fileno())

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            self._loop.remove_reader(self._pipe.fileno())
            if self._writing:
                self._loop.remove_writer(self._pipe.fileno())
            self._pipe.close()
        self._pipe = None
        self._writing = False
        self._out.clear()

    # --- the process ---

    def _lost(self) -> None:
        """The process ended by itself, or was killed."""
        assert self._process is not None
        was_up = self.up
        self._close_pipe()
        try:
            reason = _reason(self._process.wait(timeout=0.05))
        except subprocess.TimeoutExpired:
            reason = "closed its pipe"
        self._reap(self._process)
        self._process = None
        self.state = "degraded"
        steady = was_up and time.monotonic() - self._began > STEADY
        self._failures = 0 if steady else self._failures + 1
        delay = 0.0 if self._failures <= 1 else min(2.0 ** (self._failures - 2), MAX_BACKOFF)
        log.error("the engine process %s; starting it again in %.0f s", reason, delay)
        self._restart = self._loop.call_later(delay, self._start_again)
        self._on_lost(reason)

    def _start_again(self) -> None:
        """Start, and where the system refuses (no memory, no file left), later again: never without a next try."""
        try:
            self.start()
        except OSError as error:
            self._close_pipe()
            self.state = "degraded"
            log.error("the engine process does not start: %s; trying again in %.0f s", error, MAX_BACKOFF)
            self._restart = self._loop.call_later(MAX_BACKOFF, self._start_again)
            self._on_lost(f"does not start ({error})")

    def _leave(self) -> None:
        process, self._process = self._process, None
        self._close_pipe()
        if process is not None:
            self._reap(process)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        reaping = self._loop.run_in_executor(None, _end, process, self._folder)
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    """Give the process time to end the step in hand and see its pipe closed, then kill it; delete its folder."""
    with folder:
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reason(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"
