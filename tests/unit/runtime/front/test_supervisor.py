"""The supervisor without a process: a fake one holds the other end of the pipe."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechmlx import machine
from speechmlx.log import LogSettings
from speechmlx.runtime.front import supervisor
from speechmlx.runtime.front.supervisor import MAX_BACKOFF, SLICE, Supervisor, exit_reason, restart_delay
from speechmlx.runtime.ipc.framing import Unpacker, pack
from speechmlx.runtime.ipc.messages import DEVICE_FAILED, NO_GPU, CancelJob, Ended, Input, Loading, Ready, Setup
from speechmlx.types import Feed

SETUP = Setup(1_000_000, 0.0)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (DEVICE_FAILED, "ended because the GPU failed"),
        (NO_GPU, "ended because there is no GPU"),
        (-signal.SIGKILL, "was ended by SIGKILL"),
    ],
)
def test_the_reason_of_an_end(status: int, reason: str) -> None:
    assert exit_reason(status) == reason


@pytest.mark.parametrize(("failures", "delay"), [(0, 0.0), (1, 0.0), (2, 1.0), (3, 2.0), (6, 16.0), (7, MAX_BACKOFF)])
def test_the_delay_grows_with_failures_at_start(failures: int, delay: float) -> None:
    assert restart_delay(failures) == delay


class Process:
    """Stands for the engine process: keeps its end of the pipe, and ends when a test says so."""

    def __init__(self, command: list[str], pass_fds: list[int], **options: Any) -> None:
        self.command = command
        self.pid = 1000 + pass_fds[0]
        self.pipe = socket.socket(fileno=os.dup(pass_fds[0]))
        self.status: int | None = None
        self.killed = False
        self._unpacker = Unpacker()

    def send(self, message: object) -> None:
        for part in pack(message):
            self.pipe.sendall(part)

    def received(self) -> list[Any]:
        """Messages in the pipe now."""
        self.pipe.setblocking(False)
        messages: list[Any] = []
        try:
            while data := self.pipe.recv(1 << 20):
                messages += self._unpacker.feed(data)
        except BlockingIOError:
            pass
        self.pipe.setblocking(True)
        return messages

    def end(self, status: int) -> None:
        self.status = status
        self.pipe.close()

    def wait(self, timeout: float | None = None) -> int:
        if self.status is None and timeout is not None:
            raise subprocess.TimeoutExpired("engine", timeout)
        return self.status or 0

    def kill(self) -> None:
        self.killed = True
        self.end(-signal.SIGKILL)


class Front:
    """A supervisor, the processes that it started and its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.processes: list[Process] = []
        self.calls: list[Any] = []
        self.refuses = False
        """Whether the system starts no process."""
        monkeypatch.setattr("speechmlx.runtime.front.supervisor.subprocess.Popen", self._start)
        monkeypatch.setattr(supervisor, "PATIENCE", 0.0)
        self.supervisor = Supervisor(
            SETUP, LogSettings(), "gpu", self.calls.append, lambda: self.calls.append("up"), self._lost
        )

    def _lost(self, reason: str) -> None:
        assert self.supervisor.state == "degraded"
        self.calls.append(reason)

    def _start(self, command: list[str], **options: Any) -> Process:
        if self.refuses:
            raise OSError("no memory")
        self.processes.append(Process(command, **options))
        return self.processes[-1]

    async def up(self) -> Process:
        """The process of a started supervisor, ready."""
        self.processes[-1].send(Ready("fake"))
        await until(lambda: self.supervisor.up)
        return self.processes[-1]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
async def front(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Front]:
    front = Front(monkeypatch)
    front.supervisor.start()
    yield front
    await front.supervisor.stop()
    for process in front.processes:
        process.pipe.close()


async def test_it_is_up_when_the_process_is_ready_and_passes_messages_both_ways(front: Front) -> None:
    assert front.supervisor.state == "starting"
    process = await front.up()
    assert (front.supervisor.device, front.supervisor.pid, front.calls) == ("fake", process.pid, ["up"])
    assert front.supervisor.model_memory == SETUP.memory_limit
    front.supervisor.send(CancelJob(1))
    process.send(Ended(1))
    await until(lambda: len(front.calls) == 2)
    assert front.calls[1] == Ended(1)
    assert process.received() == [SETUP, CancelJob(1)]


async def test_without_a_limit_it_knows_what_the_device_allows(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_bytes", lambda: 10_000_000_000)
    monkeypatch.setattr(front.supervisor, "_setup", Setup(0, 0.0))
    assert front.supervisor.model_memory == 7_000_000_000
    front.processes[-1].send(Ready("fake", 6_000_000_000))
    await until(lambda: front.supervisor.up)
    assert front.supervisor.model_memory == 6_000_000_000 - 500_000_000


async def test_a_message_larger_than_the_pipe_is_sent_in_slices(front: Front) -> None:
    process = await front.up()
    samples = np.arange(16 * SLICE, dtype=np.float32)
    front.supervisor.send(Input(1, Feed(samples)))
    front.supervisor.send(CancelJob(1))
    received: list[Any] = []

    def complete() -> bool:
        received.extend(process.received())
        return len(received) == 3

    await until(complete)
    assert received[0] == SETUP
    np.testing.assert_array_equal(received[1].command.samples, samples)


class FaultyPipe:
    """A pipe of which some sends fail, with these numbers in this order; None is one that does not."""

    def __init__(self, pipe: Any, *faults: int | None) -> None:
        self._pipe = pipe
        self._faults = list(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def send(self, data: memoryview) -> int:
        if self._faults and (fault := self._faults.pop(0)) is not None:
            raise OSError(fault, os.strerror(fault))
        sent: int = self._pipe.send(data)
        return sent


async def test_a_message_for_which_there_is_no_buffer_now_is_sent_later(front: Front) -> None:
    process = await front.up()
    assert process.received() == [SETUP]
    pipe: Any = FaultyPipe(front.supervisor._pipe, None, errno.ENOBUFS, None, errno.ENOBUFS, errno.ENOBUFS)
    front.supervisor._pipe = pipe
    samples = np.arange(SLICE, dtype=np.float32)
    front.supervisor.send(Input(1, Feed(samples)))
    front.supervisor.send(CancelJob(1))
    received: list[Any] = []

    def complete() -> bool:
        received.extend(process.received())
        return len(received) == 2

    await until(complete)
    np.testing.assert_array_equal(received[0].command.samples, samples)
    assert received[1] == CancelJob(1) and front.calls == ["up"]


class PipeWithoutBuffers:
    """A pipe that is called ready, and neither sends nor receives. `asked`: how often."""

    def __init__(self, pipe: Any, error: int) -> None:
        self._pipe = pipe
        self._error = error
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def _refuse(self, _: object) -> Any:
        self.asked += 1
        raise OSError(self._error, os.strerror(self._error))

    send = recv = _refuse


@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize("receives", [False, True])
async def test_a_system_without_buffers_is_asked_again_after_a_pause(
    front: Front, error: int, receives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipe stays ready: without a pause the event loop would do nothing else."""
    process = await front.up()
    real: Any = front.supervisor._pipe
    empty: Any = PipeWithoutBuffers(real, error)
    front.supervisor._pipe = empty
    later: list[Callable[[], None]] = []
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "call_later", lambda delay, call: later.append(call))
        if receives:
            process.send(Ended(1))
        else:
            front.supervisor.send(CancelJob(1))
        for times in (1, 2):
            for _ in range(100):
                await asyncio.sleep(0)
            assert (empty.asked, len(later)) == (times, 1)
            later.pop()()
    empty.send, empty.recv = real.send, real.recv
    await until(lambda: front.calls == ["up", Ended(1)] if receives else CancelJob(1) in process.received())
    assert not process.killed


async def test_a_message_that_is_cut_costs_the_process(front: Front) -> None:
    process = await front.up()
    pipe: Any = FaultyPipe(front.supervisor._pipe, None, errno.EIO)
    front.supervisor._pipe = pipe
    front.supervisor.send(Input(1, Feed(np.zeros(SLICE, np.float32))))
    front.supervisor.send(CancelJob(1))
    assert front.calls == ["up"]  # not from inside of a caller
    await until(lambda: len(front.calls) == 2)
    assert front.calls[1] == f"could not be written to and was killed ([Errno {errno.EIO}] {os.strerror(errno.EIO)})"
    assert process.killed
    await until(lambda: len(front.processes) == 2)
    assert (await front.up()).received() == [SETUP]


async def test_what_a_process_said_before_its_end_is_heard(front: Front) -> None:
    process = await front.up()
    process.send(Ended(1))
    process.end(DEVICE_FAILED)
    front.supervisor.send(CancelJob(2))
    await until(lambda: len(front.calls) == 3)
    assert front.calls[1:] == [Ended(1), "ended because the GPU failed"]


async def test_it_knows_whether_the_process_loads(front: Front) -> None:
    process = await front.up()
    for loads in (True, False, True):
        process.send(Loading(loads))
        await until(lambda: front.supervisor.loading is loads)  # noqa: B023
    process.end(1)
    await until(lambda: len(front.processes) == 2)
    assert not front.supervisor.loading and "up" in front.calls and Loading(True) not in front.calls


async def test_a_process_that_ends_is_started_again_and_the_reason_is_told(front: Front) -> None:
    process = await front.up()
    process.end(-signal.SIGKILL)
    await until(lambda: len(front.calls) == 2)
    assert front.calls[1] == "was ended by SIGKILL"
    await until(lambda: len(front.processes) == 2)
    second = await front.up()
    assert second.received() == [SETUP]


async def test_a_process_that_closes_its_pipe_and_goes_on_is_killed(front: Front) -> None:
    process = await front.up()
    process.pipe.close()
    await until(lambda: len(front.calls) == 2)
    assert front.calls[1] == "closed its pipe"
    await until(lambda: process.killed)


@pytest.mark.parametrize(
    ("steady", "useful", "failures"), [(10.0, False, [1, 2, 3]), (0.0, False, [0, 0, 0]), (10.0, True, [0, 0, 0])]
)
async def test_only_processes_that_end_soon_and_were_of_no_use_are_failures_at_start(
    steady: float, useful: bool, failures: list[int], front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STEADY", steady)
    counted: list[int] = []

    def delay(failures: int) -> float:
        counted.append(failures)
        return 0.0

    monkeypatch.setattr(supervisor, "restart_delay", delay)
    for number in range(3):
        await until(lambda: len(front.processes) == number + 1)  # noqa: B023
        process = await front.up()
        assert not front.supervisor.useful
        front.supervisor.useful = useful
        process.end(1)
        await until(lambda: len(counted) == number + 1)  # noqa: B023
    assert counted == failures


async def test_a_process_that_lacks_the_gpu_of_the_settings_is_not_started_again(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    assert front.processes[0].command[-1] == "gpu"
    front.processes[0].end(NO_GPU)
    await until(lambda: front.calls)
    assert front.calls == ["ended because there is no GPU"] and not front.supervisor.running
    await asyncio.sleep(0.02)
    assert len(front.processes) == 1 and len(caplog.messages) == 1
    assert caplog.messages == [str(front.supervisor.refusal.reason)]
    assert "Take --device auto or cpu" in caplog.messages[0]


async def test_a_system_that_starts_no_process_is_tried_again(front: Front, caplog: pytest.LogCaptureFixture) -> None:
    process = await front.up()
    front.refuses = True
    process.end(1)
    await until(lambda: "does not start: no memory" in front.calls)
    front.supervisor.send(CancelJob(1))  # no process: dropped
    assert caplog.messages[-1].endswith(f"no memory; trying again in {MAX_BACKOFF:.0f} s")


async def test_recycling_replaces_the_process_without_a_loss(front: Front) -> None:
    first = await front.up()
    first.status = 0
    front.supervisor.recycle()
    assert front.supervisor.state == "starting"
    await front.up()
    assert (len(front.processes), front.calls) == (2, ["up", "up"])
    assert first.pipe.recv(1 << 20)[-1:] and first.pipe.recv(1) == b""


@pytest.mark.parametrize("stubborn", [False, True])
async def test_stopping_closes_the_pipe_and_kills_a_process_that_goes_on(stubborn: bool, front: Front) -> None:
    process = await front.up()
    process.status = None if stubborn else 0
    folder = Path(front.supervisor._folder.name)
    assert folder.is_dir()
    await front.supervisor.stop()
    assert front.supervisor.state == "stopped"
    assert process.killed is stubborn
    assert not folder.exists()
