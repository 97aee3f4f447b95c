"""The engine as the engine process works with it: jobs whose text is whole, and one whose text is being written."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.engine_runs import run
from support.talking import SHORT, TEXT, same, speak, stream

from speechmlx.engines.qwen3_tts.engine import Qwen3Tts
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.ipc.messages import Ended, Output, Start
from speechmlx.runtime.worker.tasks import Task, batch_size, open_work
from speechmlx.types import End, FeedText, SpeakStream

pytestmark = pytest.mark.usefixtures("pipelined")

ROW = CATALOG.resolve("qwen3-tts-0.6b-customvoice")


def begun(engine: Qwen3Tts, number: int, request: Any, said: list[Any]) -> Task:
    task = Task(Start(number, request, ROW, ""), time.monotonic, said.append)
    task.begun(open_work(engine, task), 0.0)
    return task


def worked(tasks: list[Task]) -> None:
    """Steps of `tasks` together until all have ended."""
    going = tasks
    while going:
        assert going[0].work is not None
        outcomes = going[0].work.step(going)
        assert all(outcome in (True, False) for outcome in outcomes)
        for one, outcome in zip(going, outcomes, strict=True):
            if not outcome:
                one.end(one.close())
        going = [one for one, outcome in zip(going, outcomes, strict=True) if outcome is True]


def test_jobs_of_the_engine_process(custom: Qwen3Tts) -> None:
    said: list[Any] = []
    assert batch_size(custom, streams=True) == batch_size(custom, streams=False) == 8
    whole = [begun(custom, number, speak(), said) for number in range(2)]
    live = begun(custom, 2, SpeakStream(options=SHORT), said)
    assert live.work is not None
    assert not live.work.runnable
    for command in (FeedText(TEXT[:9]), FeedText(TEXT[9:]), End()):
        live.receive(command)
    assert live.work.runnable
    worked(whole)
    worked([live])
    events = [[one.event for one in said if isinstance(one, Output) and one.job == job] for job in range(3)]
    assert same(events[0], run(custom, speak())[0])
    assert same(events[1], events[0])
    assert same(events[2], stream(custom, [TEXT]))
    assert [one.failure for one in said if isinstance(one, Ended)] == [None] * 3
    assert custom.held == 0
