"""How an engine works on tasks, in each of the four ways, and what the scheduler sees of a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from support import scripted
from support.scripted_live import LiveEngine, Words

from speechmlx.engines import BatchedStreaming
from speechmlx.errors import BadAudio, Busy, Unsupported
from speechmlx.runtime.ipc.messages import OUTPUT_WINDOW, Ended, InputConsumed, Output, Start
from speechmlx.runtime.worker.scheduler import pick
from speechmlx.runtime.worker.tasks import LEAD, Task, batch_size, failure, open_work
from speechmlx.types import (
    Chunk,
    Command,
    End,
    Enhance,
    Event,
    Feed,
    Generate,
    Listen,
    Load,
    Message,
    Progress,
    Request,
    Speak,
    TextDelta,
    Usage,
)

ROWS = {row.name: row for row in scripted.ROWS}
SAMPLES = np.zeros(160, np.float32)


@dataclass
class Posted:
    """What tasks posted, and their clock."""

    messages: list[object] = field(default_factory=list)
    now: float = 0.0

    def task(self, id: int, request: Request, model: str = "scripted-asr") -> Task:
        return Task(Start(id, request, ROWS[model], ""), lambda: self.now, self.messages.append)

    def events(self, id: int) -> list[Event]:
        return [message.event for message in self.messages if isinstance(message, Output) and message.job == id]

    def consumed(self, id: int) -> int:
        return sum(m.count for m in self.messages if isinstance(m, InputConsumed) and m.job == id)


def opened(engine: object, task: Task, *commands: Command) -> Task:
    task.inbox.extend(commands)
    task.work = open_work(engine, task)  # type: ignore[arg-type]
    return task


def step(*tasks: Task) -> list[Exception | bool]:
    assert tasks[0].work is not None
    return list(tasks[0].work.step(tasks))


def state_of(task: Task) -> Words:
    return task.work._state  # type: ignore[union-attr]


# --- live inputs in a batch ---


def test_streams_take_turns_and_share_what_can_be_shared() -> None:
    posted, engine = Posted(), LiveEngine()
    assert isinstance(engine, BatchedStreaming)
    first, second = (opened(engine, posted.task(id, Listen()), Feed(SAMPLES)) for id in (1, 2))
    assert step(first, second) == [True, True]
    assert [state_of(task).work for task in (first, second)] == [1, 2]
    assert step(second, first) == [True, True]
    assert [state_of(task).work for task in (first, second)] == [1, 1]
    assert not posted.events(1) and not posted.events(2)
    step(first, second)
    assert len(posted.events(1)) == len(posted.events(2)) == 1  # the words of both come out of one step
    assert not first.runnable and not second.runnable


def test_a_stream_is_fed_its_next_command_when_it_is_idle() -> None:
    posted, engine = Posted(), LiveEngine()
    task = opened(engine, posted.task(1, Listen()), Feed(SAMPLES), Feed(SAMPLES), End())
    consumed = []
    while step(task) == [True]:
        consumed.append(posted.consumed(1))
    assert consumed == [1, 1, 2, 2, 3]
    assert len(posted.events(1)) == 3
    assert task.close() is None
    task.end()
    assert len(engine.ended) == 1 and posted.messages[-1] == Ended(1, None)


def test_bad_input_ends_its_own_stream_only() -> None:
    posted, engine = Posted(), LiveEngine()
    bad = opened(engine, posted.task(1, Listen()), Feed(np.full(160, np.nan, np.float32)))
    good = opened(engine, posted.task(2, Listen()), Feed(SAMPLES))
    outcome, goes_on = step(bad, good)
    assert isinstance(outcome, BadAudio) and goes_on is True
    assert engine.stepped == [[state_of(good)]]


def test_a_stream_that_fails_ends_alone() -> None:
    posted, engine = Posted(), LiveEngine()
    bad, good = (opened(engine, posted.task(id, Listen()), Feed(SAMPLES)) for id in (1, 2))
    state_of(bad).fails = True
    step(bad, good)
    outcome, goes_on = step(bad, good)
    assert isinstance(outcome, RuntimeError) and goes_on is True


def test_a_stream_with_nothing_to_do_is_not_runnable() -> None:
    posted = Posted()
    task = opened(LiveEngine(), posted.task(1, Listen()))
    assert not task.runnable
    task.inbox.append(Feed(SAMPLES))
    assert task.runnable
    step(task)
    assert task.runnable and not task.inbox
    step(task)
    assert not task.runnable


def test_a_stream_whose_reader_is_behind_is_not_runnable() -> None:
    posted = Posted()
    task = opened(LiveEngine(), posted.task(1, Listen()), *[Feed(SAMPLES)] * (OUTPUT_WINDOW + 1))
    while task.runnable:
        step(task)
    assert len(posted.events(1)) == OUTPUT_WINDOW and task.inbox
    task.taken(1)
    assert task.runnable


# --- the other three ways ---


def test_a_generator_ends_in_the_step_of_its_last_event() -> None:
    posted = Posted()
    task = opened(scripted.Scripted(), posted.task(1, Speak(text="steps=2"), "scripted"))
    assert step(task) == [True] and step(task) == [False]
    assert [type(event) for event in posted.events(1)] == [Chunk, Chunk, Usage]


def test_a_stream_alone_takes_a_command_when_the_one_before_is_done() -> None:
    posted = Posted()
    task = opened(scripted.Scripted(), posted.task(1, Enhance(), "scripted-enhance"), Feed(SAMPLES), End())
    outcomes: list[Any] = []
    while not outcomes or outcomes[-1] == [True]:
        outcomes.append(step(task))
        if len(outcomes) < 3:
            assert posted.consumed(1) == 1
    assert outcomes[-1] == [False] and posted.consumed(1) == 2
    assert [type(event) for event in posted.events(1)] == [Chunk, Usage]


def test_requests_in_a_batch_step_together() -> None:
    posted, engine = Posted(), scripted.Batched()
    scripts = ("steps=1", "steps=2", "fail=0")
    tasks = [
        opened(engine, posted.task(id, Generate(messages=(Message("user", script),)), "scripted-llm"))
        for id, script in enumerate(scripts)
    ]
    ended, goes_on, failed = step(*tasks)
    assert (ended, goes_on) == (False, True) and isinstance(failed, RuntimeError)
    assert [event.text for event in posted.events(1) if isinstance(event, TextDelta)] == ["1/3 "]


@pytest.mark.parametrize(
    ("engine", "request_", "model"),
    [
        (scripted.Batched(), Enhance(), "scripted-llm"),
        (LiveEngine(), Enhance(), "scripted-asr"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(engine: object, request_: Request, model: str) -> None:
    with pytest.raises(Unsupported):
        opened(engine, Posted().task(1, request_, model))


@pytest.mark.parametrize(
    ("engine", "whole", "live"),
    [(scripted.Scripted(), 0, 0), (scripted.Batched(), 4, 0), (LiveEngine(7), 7, 7)],
)
def test_batch_size(engine: object, whole: int, live: int) -> None:
    assert batch_size(engine, False) == whole  # type: ignore[arg-type]
    assert batch_size(engine, True) == live  # type: ignore[arg-type]


# --- what the scheduler sees ---


def test_live_and_other_requests_of_a_model_are_batches_of_their_own() -> None:
    posted = Posted()
    live = [posted.task(id, Listen()) for id in (1, 2)]
    for task in live:
        task.inbox.append(Feed(SAMPLES))
    whole = posted.task(3, Generate(messages=(Message("user", "hi"),)), "scripted-asr")
    load = posted.task(4, Load(model="scripted-asr"))
    batches = [task.candidate(True, 8).batch for task in (*live, whole, load)]
    assert batches[0] == batches[1] != batches[2] and batches[3] is None
    assert posted.task(5, Listen()).candidate(True, 0).batch is None
    assert pick([task.candidate(True, 8) for task in (whole, *live)], 0.0) == [1, 2]


def test_due() -> None:
    posted = Posted(now=10.0)
    live, speech = posted.task(1, Listen()), posted.task(2, Speak(text=""), "scripted")
    chat = posted.task(3, Generate(messages=(Message("user", ""),)), "scripted-llm")
    assert (live.due, speech.due, chat.due) == (10.0, 10.0, 10.0 + LEAD)
    for task in (live, speech, chat):
        task.stepped(0.5)
    assert (live.due, speech.due, chat.due) == (10.5, 10.0, 10.5 + LEAD)
    posted.now = 12.0
    speech.post_event(Chunk(bytes(48_000), 24_000))
    assert speech.due == 13.0  # when the second of audio runs out


def test_progress_is_not_counted_as_unread() -> None:
    task = Posted().task(1, Load(model="scripted"), "scripted")
    for number in range(2 * OUTPUT_WINDOW):
        task.post_event(Progress("load", number, 100))
    assert task.runnable


def test_an_error_in_freeing_is_returned() -> None:
    def steps() -> Iterator[Event | None]:
        try:
            yield None
        finally:
            raise ValueError("close")

    task = Posted().task(1, Speak(text=""), "scripted")
    task.work = open_work(type("Engine", (), {"nbytes": 0, "run": lambda *_: steps()})(), task)
    assert step(task) == [True]
    assert isinstance(task.close(), ValueError)
    assert task.work is None and task.close() is None


@pytest.mark.parametrize(("error", "code"), [(ValueError("step"), "engine_failed"), (Busy("full"), "busy")])
def test_the_front_is_told_the_error(error: Exception, code: str) -> None:
    posted = Posted()
    posted.task(1, Speak(text=""), "scripted").end(error)
    (ended,) = posted.messages
    assert isinstance(ended, Ended) and ended.failure is not None and ended.failure.code == code


def test_failure_keeps_what_the_client_may_see() -> None:
    assert failure(Busy("full", retry_after=3.0), "m").retry_after == 3.0
    assert failure(KeyError("x"), "m").message == "the model 'm' failed: KeyError: 'x'"
