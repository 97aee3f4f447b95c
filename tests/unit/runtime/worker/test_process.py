"""The loop of the engine process on a pair of sockets, in a thread, with scripted engines and without MLX."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import pytest
from support import scripted

from speechmlx.engines import LoadOptions
from speechmlx.log import LogSettings
from speechmlx.runtime.ipc.framing import Unpacker, pack
from speechmlx.runtime.ipc.messages import CancelJob, Ended, Output, OutputConsumed, Ready, Setup, Start
from speechmlx.runtime.worker import blas, process, threads
from speechmlx.runtime.worker.worker import Worker
from speechmlx.types import Speak

LIMIT = 10.0
"""Seconds to wait for the loop."""


class Front:
    """The server process's end of the pipe."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._unpacker = Unpacker()
        self._messages: list[object] = []

    def send(self, *messages: object) -> None:
        self._pipe.sendall(b"".join(bytes(part) for message in messages for part in pack(message)))

    def receive(self) -> object:
        while not self._messages:
            data = self._pipe.recv(1 << 16)
            assert data, "the engine process closed the pipe"
            self._messages += self._unpacker.feed(data)
        return self._messages.pop(0)

    def until_end(self, job: int) -> list[object]:
        """The messages up to the end of a job."""
        messages = [self.receive()]
        while not (isinstance(messages[-1], Ended) and messages[-1].job == job):
            messages.append(self.receive())
        return messages

    def close(self) -> None:
        """Send no more. What the engine process still sends is not refused, so that it sees an end and no error."""
        self._pipe.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Take nothing any more: what the engine process sends is refused."""
        self._pipe.close()


class Products:
    """Counts how often the loop applies the number of threads."""

    def __init__(self) -> None:
        self.applied = 0

    def apply(self) -> None:
        self.applied += 1


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> Products:
    products = Products()
    monkeypatch.setattr(threads, "watch_openblas", lambda: products)
    monkeypatch.setattr(process, "device", lambda choice: (LoadOptions(), "Device(test, 0)"))
    monkeypatch.setattr(process, "working_set", lambda: 7)
    return products


@pytest.fixture
def engine(products: Products) -> Iterator[tuple[Front, threading.Thread]]:
    """A running loop, and the front's end of its pipe."""
    mine, its = socket.socketpair()

    def run() -> None:
        with suppress(SystemExit):
            process.run(its)

    with mine, its:
        mine.settimeout(LIMIT)
        loop = threading.Thread(target=run, daemon=True)
        loop.start()
        front = Front(mine)
        yield front, loop
        if loop.is_alive():
            front.close()
        loop.join(LIMIT)
        assert not loop.is_alive()


def speak(job: int, script: str) -> Start:
    return Start(job, Speak(text=script), scripted.ROW, "")


def test_the_device_is_the_first_message(engine: tuple[Front, threading.Thread]) -> None:
    front, _ = engine
    assert front.receive() == Ready("Device(test, 0)", 7)


def test_jobs_run_and_a_failure_is_that_of_its_job(engine: tuple[Front, threading.Thread], products: Products) -> None:
    front, _ = engine
    front.send(Setup(1_000_000_000, 0.0), speak(1, "steps=2"), speak(2, "fail=0"), speak(3, "steps=1"))
    messages = front.until_end(3)
    while {1, 2, 3} - {message.job for message in messages if isinstance(message, Ended)}:
        messages.append(front.receive())
    failures = {message.job: message.failure for message in messages if isinstance(message, Ended)}
    assert [job for job, failure in failures.items() if failure is not None] == [2]
    kinds = [type(message.event).__name__ for message in messages if isinstance(message, Output) and message.job == 1]
    assert kinds == ["Chunk", "Chunk", "Usage"]
    assert products.applied > 4  # between two steps, each time


def test_a_message_is_handled_between_two_steps(engine: tuple[Front, threading.Thread]) -> None:
    front, _ = engine
    front.send(speak(1, "steps=1000 work=0.002"), OutputConsumed(1, 1000))
    while not isinstance(front.receive(), Output):
        pass
    front.send(speak(2, "steps=1"))
    messages = front.until_end(2)
    front.send(CancelJob(1))
    messages += front.until_end(1)
    assert [message.job for message in messages if isinstance(message, Ended)] == [2, 1]


@pytest.mark.parametrize("script", [None, "steps=1000 work=0.001"])
def test_the_loop_ends_when_the_front_closes_the_pipe(
    engine: tuple[Front, threading.Thread], script: str | None
) -> None:
    front, loop = engine
    if script:
        front.send(speak(1, script))
        while not isinstance(front.receive(), Output):
            pass
    front.close()
    loop.join(LIMIT)
    assert not loop.is_alive()


def test_a_front_that_is_gone_is_no_error_of_the_job_under_way(
    engine: tuple[Front, threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    front, loop = engine
    front.send(speak(1, "steps=1000000 work=0.001"), OutputConsumed(1, 1_000_000))
    while not isinstance(front.receive(), Output):
        pass
    front.vanish()
    loop.join(LIMIT)
    assert not loop.is_alive() and not caplog.records


class Full:
    """A pipe that takes three bytes at a time, and has no buffer before each."""

    def __init__(self) -> None:
        self.taken = b""
        self._full = False

    def send(self, data: memoryview) -> int:
        self._full = not self._full
        if self._full:
            raise OSError(errno.ENOBUFS, "No buffer space available")
        self.taken += data[:3]
        return len(data[:3])


@pytest.mark.parametrize("text", [b"", b"four", b"a longer message"])
def test_a_pipe_without_a_buffer_is_tried_again(text: bytes) -> None:
    pipe = Full()
    process.send(cast(Any, pipe), text)
    assert pipe.taken == text


def test_cached_memory_is_returned_when_no_message_comes(products: Products, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, its = socket.socketpair()
    cleared: list[int] = []

    def clear() -> None:
        cleared.append(products.applied)
        mine.shutdown(socket.SHUT_WR)

    monkeypatch.setattr(Worker, "patience", lambda worker: 0.001)
    monkeypatch.setattr(process, "clear_cache", clear)
    with mine, its:
        process.run(its)
    assert cleared == [0]


def test_a_long_message_that_comes_in_pieces_returns_no_memory(
    engine: tuple[Front, threading.Thread], products: Products, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, _ = engine
    cleared: list[int] = []
    monkeypatch.setattr(process, "clear_cache", lambda: cleared.append(products.applied))
    front.receive()
    front.send(speak(1, "steps=1" + " " * (3 << 20)))
    front.until_end(1)
    assert products.applied > 3 and not cleared


@pytest.mark.parametrize("error", [None, BrokenPipeError, ConnectionResetError])
def test_main_ignores_signals_and_a_front_that_is_gone(
    error: type[Exception] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, its = socket.socketpair()
    ignored: list[int] = []
    done: list[str] = []

    def run(pipe: socket.socket, choice: str) -> None:
        assert choice == "cpu"
        done.append("run")
        assert pipe.fileno() == descriptor
        if error is not None:
            raise error

    def ignore(number: int, action: object) -> None:
        assert action is signal.SIG_IGN
        ignored.append(number)

    monkeypatch.setattr(signal, "signal", ignore)
    monkeypatch.setattr(process, "start_log", lambda log, engine: done.append(f"{log.level} {engine}"))
    monkeypatch.setattr(blas, "preload", lambda: done.append("preload"))
    monkeypatch.setattr(process, "run", run)
    descriptor = its.detach()
    monkeypatch.setattr(sys, "argv", ["process", str(descriptor), LogSettings("debug").to_text(), "cpu"])
    with mine:
        process.main()
        assert mine.recv(1) == b""  # it closed its end
    assert done == ["debug True", "preload", "run"]
    assert ignored == [signal.SIGINT, signal.SIGTERM]
