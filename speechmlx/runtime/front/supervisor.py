"""Supervisor: starts the engine process, exchanges messages with it, and starts it again when it ends."""

from __future__ import annotations

import asyncio
import errno
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

from speechmlx.errors import BadRequest
from speechmlx.log import LogSettings
from speechmlx.machine import model_memory
from speechmlx.runtime import scratch
from speechmlx.runtime.front.refusal import WorkRefusal
from speechmlx.runtime.ipc.framing import Part, Unpacker, pack
from speechmlx.runtime.ipc.messages import DEVICE_FAILED, NO_GPU, Loading, Ready, Setup, ToEngine
from speechmlx.runtime.worker import blas

log = logging.getLogger(__name__)

State = Literal["starting", "ok", "idle", "degraded", "stopped"]

SLICE = 256 * 1024
"""Bytes per send and receive. A large message is sent in slices, so that the event loop serves others between them."""

SHORTAGES = (errno.ENOBUFS, errno.ENOMEM)
"""What macOS says for a moment of a pipe that it calls ready."""

PAUSE = 0.001
"""Seconds until it is asked again."""

STEADY = 10.0
"""A process that ran this many seconds did not fail at start: when it ends it is started again at once. Nor did one
that was useful."""

MAX_BACKOFF = 30.0
"""Most seconds between two starts."""

NO_GPU_HERE = (
    "device = gpu, and this machine has no GPU that MLX can compute on; the log says more. Take --device auto or cpu"
)

PATIENCE = 2.0
"""Seconds that a process gets to end after its pipe is closed."""


class Supervisor:
    """Runs one engine process at a time.

    `device` is the setting of that name. `on_message` is called with each message, `on_up` when the process is ready,
    `on_lost` with the reason when it has ended unexpectedly or cannot be started.
    """

    def __init__(
        self,
        setup: Setup,
        log: LogSettings,
        device: str,
        on_message: Callable[[object], None],
        on_up: Callable[[], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.state: State = "starting"
        self.device = ""
        self._working_set = 0
        self.pid = 0
        self.heard = 0
        """How often bytes came from the engine process."""
        self.loading = False
        """Whether the process loads a slice of a model."""
        self.useful = False
        """Whether this process has done a client's work. The runtime sets it."""
        self.refusal = WorkRefusal()
        """Once it has a reason, no process is started again."""
        self._choice = device
        self._setup = setup
        self._log = log
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
        """Whether the engine process is ready and gets messages."""
        return self.state == "ok"

    @property
    def model_memory(self) -> int:
        """Bytes that all models may have; until the first process is ready, those of a machine without a GPU."""
        return model_memory(self._setup.memory_limit, self._working_set)

    @property
    def running(self) -> bool:
        """Whether there is a process, ready or not."""
        return self._process is not None

    def start(self) -> None:
        """Start the process. It sends Ready when it has imported MLX."""
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # For the process's library links and compiled kernels. Deleted when it has ended.
        self._folder = scratch.folder()
        command = [
            sys.executable,
            "-P",
            "-m",
            "speechmlx.runtime.worker.process",
            str(theirs.fileno()),
            self._log.to_text(),
            self._choice,
        ]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=blas.environment(os.environ, Path(self._folder.name)),
                )
        except OSError:
            ours.close()
            self._folder.cleanup()
            raise
        self.pid = self._process.pid
        self._pipe = ours
        self._unpacker = Unpacker()
        self._began = time.monotonic()
        self.loading = self.useful = False
        self._loop.add_reader(ours.fileno(), self._receive)
        self.send(self._setup)

    def send(self, message: ToEngine) -> None:
        """Queue a message. Does nothing where no process runs."""
        if self._pipe is None:
            return
        parts: list[Part] = pack(message)
        self._out.extend(memoryview(part).cast("B") for part in parts if len(part))
        if not self._writing:
            self._flush()

    def kill(self, reason: str) -> None:
        """Kill a process that hangs, and start it again. `reason` is the rest of a sentence, for the log and jobs."""
        if self._process is not None:
            self._process.kill()
            self._lost(reason)

    def recycle(self) -> None:
        """Replace an idle process by a fresh one. Only the end of a process surely frees all memory of its models."""
        self._abandon()
        self.state = "starting"
        self._start_again()

    def rest(self) -> None:
        """End an idle process, until `wake`."""
        self._abandon()
        self.state, self.pid = "idle", 0

    def wake(self) -> None:
        """Start the process again after `rest`."""
        self.state = "starting"
        self._start_again()

    async def stop(self) -> None:
        """Close the pipe, which ends the process; kill it after PATIENCE seconds. Waits for its end."""
        self.state = "stopped"
        if self._restart is not None:
            self._restart.cancel()
        self._abandon()
        if self._reaping:
            await asyncio.wait(self._reaping)

    # --- the pipe ---

    def _receive(self) -> None:
        assert self._pipe is not None
        try:
            data = self._pipe.recv(SLICE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in SHORTAGES:
                self._pause(self._loop.remove_reader, self._loop.add_reader, self._receive)
                return
            data = b""
        if not data:
            self._lost()
            return
        self.heard += 1
        for message in self._unpacker.feed(data):
            if isinstance(message, Ready):
                self.device, self._working_set = message.device, message.working_set
                self.state = "ok"
                took = time.monotonic() - self._began
                log.info("the engine process is ready: %s, pid %d, after %.1f s", self.device, self.pid, took)
                self._on_up()
            elif isinstance(message, Loading):
                self.loading = message.now
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
        except (BrokenPipeError, ConnectionResetError):
            self._out.clear()  # `_receive` reads the last messages, and sees the end of the pipe
        except OSError as error:
            if error.errno in SHORTAGES:
                self._writing = True
                self._pause(self._loop.remove_writer, self._loop.add_writer, self._flush)
                return
            self._out.clear()
            self._loop.call_soon(self._broken, self._pipe, error)
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            if self._writing:
                self._loop.add_writer(self._pipe.fileno(), self._flush)
            else:
                self._loop.remove_writer(self._pipe.fileno())

    def _pause(self, leave: Callable[[int], object], watch: Callable[..., object], then: Callable[[], None]) -> None:
        """Watch the pipe no more for PAUSE seconds: it is ready all the time, and the loop would do nothing else."""
        pipe = self._pipe
        assert pipe is not None
        leave(pipe.fileno())

        def go_on() -> None:
            if pipe is self._pipe:
                watch(pipe.fileno(), then)

        self._loop.call_later(PAUSE, go_on)

    def _broken(self, pipe: socket.socket, error: OSError) -> None:
        """A message to the process was cut: no other can follow."""
        if pipe is self._pipe:
            self.kill(f"could not be written to and was killed ({error})")

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

    def _lost(self, reason: str = "") -> None:
        """The process ended unexpectedly: start it again, after a while where it keeps failing at start."""
        assert self._process is not None
        was_up = self.up
        self._close_pipe()
        status = None if reason else _status(self._process)
        reason = reason or ("closed its pipe" if status is None else exit_reason(status))
        self._reap(self._process)
        self._process = None
        self.state = "degraded"
        if status == NO_GPU:
            self.refusal.give(BadRequest(NO_GPU_HERE))
        steady = was_up and (self.useful or time.monotonic() - self._began > STEADY)
        self._failures = 0 if steady else self._failures + 1
        self._retry(reason, "starting it again", restart_delay(self._failures))

    def _start_again(self) -> None:
        """Start the process. Try again after MAX_BACKOFF seconds where the system has no memory or files for it."""
        try:
            self.start()
        except OSError as error:
            self._close_pipe()
            self.state = "degraded"
            self._retry(f"does not start: {error}", "trying again", MAX_BACKOFF)

    def _retry(self, reason: str, what: str, delay: float) -> None:
        """Start the process after `delay` seconds, but where there is a refusal. Tell of the `reason`."""
        self.refusal.look()
        if self.refusal.reason is None:
            log.error("the engine process %s; %s in %.0f s", reason, what, delay)
            self._restart = self._loop.call_later(delay, self._start_again)
        self._on_lost(reason)

    def _abandon(self) -> None:
        """Close the pipe and let the process end."""
        process, self._process = self._process, None
        self._close_pipe()
        if process is not None:
            self._reap(process)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        try:
            reaping = self._loop.run_in_executor(None, _end, process, self._folder)
        except RuntimeError:  # the interpreter ends, and no thread can be started
            _end(process, self._folder)
            return
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)


def _end(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    """Wait up to PATIENCE seconds for the end of the process, then kill it. Delete its folder."""
    with folder:
        try:
            process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """The exit status of a process that has closed its pipe; None where it goes on."""
    try:
        return process.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        return None


def restart_delay(failures: int) -> float:
    """Seconds until the next start after `failures` processes in a row that ended at start."""
    return 0.0 if failures <= 1 else min(2.0 ** (failures - 2), MAX_BACKOFF)


def exit_reason(status: int) -> str:
    """What the exit status of a process says, as the rest of a sentence."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    if status == DEVICE_FAILED:
        return "ended because the GPU failed"
    if status == NO_GPU:
        return "ended because there is no GPU"
    return f"exited with status {status}"
