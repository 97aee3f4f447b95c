"""What loading a pinned model does for each end of its job: go on, try again or give up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from speechmlx.errors import (
    Busy,
    Draining,
    EngineFailed,
    EngineLost,
    ModelUnavailable,
    NoRoom,
    SpeechError,
    WeightsDamaged,
)
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.front.pinned import FIRST_RETRY, LAST_RETRY, PinnedModels
from speechmlx.types import Kind, Load, Priority, Request

MODEL = Model(name="m", kind=Kind.TTS, engine="none:load", sources=(), size=0, memory=0, rate=24000, licence="none")


class Loads:
    """Pinned models whose jobs end as `ends` says, one after the other: with an error or with None."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: SpeechError | None, started: bool = False) -> None:
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.models = PinnedModels(self.submit, self.spawn)
        self._ends = list(ends)
        self._started = started
        monkeypatch.setattr("speechmlx.runtime.front.pinned.asyncio.sleep", self.sleep)

    def submit(self, request: Request) -> Job:
        self.requests.append(request)
        end = self._ends.pop(0)
        if isinstance(end, Busy):
            raise end
        job = Job(1, request, MODEL, lambda message: None, lambda job: None)
        if self._started:
            job.start("/folder")
        job.finish_with(end)
        return job

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def pin(self, name: str, times: int = 1) -> None:
        """Pin a model and wait for the end of its loading."""
        for _ in range(times):
            self.models.pin(name)
        await asyncio.gather(*self.tasks)


async def test_a_pinned_model_is_loaded_once_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, None)
    await loads.pin("m", times=3)
    assert loads.requests == [Load(model="m", pin=True, priority=Priority.BULK)]
    assert loads.models.names == {"m"}


async def test_a_new_engine_process_loads_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, None, None)
    loads.models.names |= {"a", "b"}
    loads.models.load_all()
    await asyncio.gather(*loads.tasks)
    assert {request.model for request in loads.requests} == {"a", "b"}


@pytest.mark.parametrize(
    ("ends", "pauses"),
    [
        ([Busy("full", retry_after=3.0), None], [3.0]),
        ([Busy("full"), None], [1.0]),
        ([ModelUnavailable("no network"), NoRoom("full"), None], [FIRST_RETRY, 2 * FIRST_RETRY]),
        ([ModelUnavailable("no network")] * 10 + [None], [min(FIRST_RETRY * 2**n, LAST_RETRY) for n in range(10)]),
        ([EngineLost("lost")], []),
        ([Draining("stopping")], []),
    ],
)
async def test_a_model_stays_pinned_after_errors_that_pass(
    ends: list[SpeechError | None], pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = Loads(monkeypatch, *ends)
    await loads.pin("m")
    assert (loads.pauses, len(loads.requests), loads.models.names) == (pauses, len(ends), {"m"})


async def test_a_model_of_which_nothing_is_known_yet_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, None)
    submit, refusals = loads.submit, [ModelUnavailable("it is not known yet what m is")]

    def refuse_once(request: Request) -> Job:
        if refusals:
            raise refusals.pop()
        return submit(request)

    loads.models = PinnedModels(refuse_once, loads.spawn)
    await loads.pin("m")
    assert (loads.pauses, len(loads.requests), loads.models.names) == ([FIRST_RETRY], 1, {"m"})


@pytest.mark.parametrize(
    ("end", "started"),
    [(EngineFailed("broken"), False), (ModelUnavailable("too big"), True), (WeightsDamaged("as they came"), True)],
)
async def test_a_model_that_cannot_be_loaded_is_given_up(
    end: SpeechError, started: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loads = Loads(monkeypatch, end, started=started)
    await loads.pin("m")
    assert loads.models.names == set()
    assert f"preloading m failed, it is loaded when it is asked for: {end}" in caplog.messages


async def test_a_model_unpinned_while_it_waits_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, Busy("full"))

    async def unpin(seconds: float) -> None:
        loads.models.names.discard("m")

    monkeypatch.setattr("speechmlx.runtime.front.pinned.asyncio.sleep", unpin)
    await loads.pin("m")
    assert len(loads.requests) == 1


async def test_weights_that_are_fetched_again_are_loaded_then(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = Loads(monkeypatch, WeightsDamaged("fetched again", retry_after=5.0), None, started=True)
    await loads.pin("m")
    assert (loads.pauses, len(loads.requests), loads.models.names) == ([FIRST_RETRY], 2, {"m"})
