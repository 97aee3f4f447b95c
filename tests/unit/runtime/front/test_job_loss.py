"""Which jobs end with the engine process, and which wait for the next one."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.errors import EngineLost
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import MAX_REQUEUES, Job
from speechmlx.runtime.front.job_loss import end_lost
from speechmlx.runtime.ipc.messages import Input, Start, ToEngine
from speechmlx.types import End, Enhance, Feed, Kind, Listen, Load, Request, Unload

MODEL = Model(name="m", kind=Kind.ENHANCE, engine="none:load", sources=(), size=0, memory=0, rate=16000, licence="none")


def job(request: Request | None = None, sent: list[ToEngine] | None = None) -> Job:
    """A job that the engine process has."""
    found = Job(7, request or Enhance(model="m"), MODEL, (sent if sent is not None else []).append, lambda job: None)
    found.start("/folder")
    return found


async def lost(ended: Job) -> EngineLost:
    with pytest.raises(EngineLost) as told:
        await ended.collect()
    return told.value


async def test_a_job_that_was_begun_ends() -> None:
    begun = job()
    begun.on_begun()
    assert end_lost([begun], (), "was ended by SIGKILL") == []
    error = await lost(begun)
    assert str(error) == "the engine process was ended by SIGKILL while this ran; the server starts it again"
    assert error.ran


async def test_a_job_whose_model_was_being_loaded_ends_as_that_may_be_the_reason() -> None:
    waiting = job()
    assert end_lost([waiting], {"m"}, "was ended by SIGSEGV") == []
    assert (await lost(waiting)).ran


async def test_a_job_that_waited_is_begun_by_the_next_process_with_its_early_input() -> None:
    sent: list[ToEngine] = []
    waiting = job(Listen(model="m"), sent)
    await waiting.send(Feed(np.zeros(4, np.float32)))
    await waiting.end()
    assert end_lost([waiting], (), "was ended by SIGKILL") == [waiting]
    assert not waiting.ended and not waiting.started and waiting.sent is None
    sent.clear()
    waiting.start("/other")
    assert [type(message) for message in sent] == [Start, Input, Input]
    assert [type(message.command) for message in sent if isinstance(message, Input)] == [Feed, End]


async def test_input_is_not_kept_once_a_job_was_begun() -> None:
    begun = job(Listen(model="m"))
    await begun.send(Feed(np.zeros(4, np.float32)))
    begun.on_begun()
    await begun.send(Feed(np.zeros(4, np.float32)))
    assert begun._early == []


async def test_a_job_waits_for_so_many_processes_and_is_then_no_reason_of_an_end() -> None:
    waiting = job()
    for _ in range(MAX_REQUEUES):
        assert end_lost([waiting], (), "exited with status 1") == [waiting]
        waiting.start("/folder")
    assert end_lost([waiting], (), "exited with status 1") == []
    error = await lost(waiting)
    assert str(error) == "the engine process exited with status 1 while this waited; the server starts it again"
    assert not error.ran


@pytest.mark.parametrize("request_", [Load(model="m"), Unload(model="m")])
async def test_loads_and_unloads_end(request_: Request) -> None:
    ended = job(request_)
    assert end_lost([ended], (), "was ended by SIGKILL") == []
    assert ended.ended


async def test_a_cancelled_job_ends_and_one_that_was_never_sent_is_left_alone() -> None:
    cancelled = job()
    cancelled.cancel()
    unsent = Job(8, Enhance(model="m"), MODEL, lambda message: None, lambda job: None)
    assert end_lost([cancelled, unsent], (), "was ended by SIGKILL") == []
    assert cancelled.outcome == "cancelled" and not unsent.ended
