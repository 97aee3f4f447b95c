"""When silence of the engine process counts as a hang."""

from __future__ import annotations

from typing import Any, cast

import pytest

from speechmlx.runtime.front.hang_watch import CHECKS, LOAD, STARTUP, HangWatch, SilenceCounter
from speechmlx.runtime.ipc.messages import Probe


class Engine:
    """An engine process that says nothing by itself."""

    def __init__(self) -> None:
        self.up = self.running = True
        self.loading = False
        self.heard = 0
        self.sent: list[Any] = []
        self.killed: list[str] = []

    def send(self, message: object) -> None:
        self.sent.append(message)

    def kill(self, reason: str) -> None:
        self.killed.append(reason)


class Watched:
    def __init__(self, timeout: float = 60.0) -> None:
        self.engine = cast(Any, Engine())
        self.waits = True
        self.hangs = 0
        self.watch = HangWatch(self.engine, timeout, lambda: self.waits, self._hang)
        self.watch.check()  # hears what came before

    def _hang(self) -> None:
        self.hangs += 1

    def check(self, times: int) -> None:
        for _ in range(times):
            self.watch.check()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_silence_is_counted_while_somebody_waits() -> None:
    counter = SilenceCounter()
    calls = [(0, True), (0, True), (0, True), (1, True), (1, True), (1, False), (1, True)]
    assert [counter.check(*call) for call in calls] == [0, 1, 2, 0, 1, 0, 1]


def test_a_silent_process_is_asked_once_and_then_killed(watched: Watched) -> None:
    watched.check(CHECKS // 2 - 1)
    assert watched.engine.sent == []
    watched.check(CHECKS // 2)
    assert watched.engine.sent == [Probe()]
    assert watched.engine.killed == []
    watched.check(1)
    assert watched.engine.killed == ["ended no step for 60 s and was killed (step_timeout)"]
    assert watched.hangs == 1


def test_a_slice_of_a_load_has_longer(watched: Watched) -> None:
    watched.engine.loading = True
    watched.check(CHECKS * LOAD - 1)
    assert (watched.engine.sent, watched.engine.killed) == ([Probe()], [])
    watched.check(1)
    assert watched.engine.killed == ["ended no slice of a load for 600 s and was killed (10 times step_timeout)"]
    assert watched.hangs == 1


def test_any_sign_of_life_saves_it(watched: Watched) -> None:
    for _ in range(5):
        watched.check(CHECKS - 1)
        watched.engine.heard += 1
        watched.check(1)
    assert watched.engine.killed == []
    assert watched.engine.sent == [Probe()] * 5


def test_nothing_is_asked_while_nobody_waits(watched: Watched) -> None:
    watched.waits = False
    watched.check(10 * CHECKS)
    assert watched.engine.sent == watched.engine.killed == []


@pytest.mark.parametrize("running", [True, False])
def test_a_process_that_does_not_come_up_has_longer(running: bool) -> None:
    watched = Watched(1.0)
    watched.engine.up, watched.engine.running = False, running
    watched.check(int(CHECKS * STARTUP) - 1)
    assert watched.engine.sent == watched.engine.killed == []
    watched.check(1)
    assert watched.engine.killed == (["did not come up and was killed"] if running else [])
