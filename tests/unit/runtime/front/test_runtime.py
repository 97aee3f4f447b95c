"""The runtime with a fake supervisor: where jobs start, wait, end and are refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_supervisor import ASR, PROGRESS, TTS, Front

from speechmlx.config import Config
from speechmlx.conversation.engines import Engines
from speechmlx.errors import Busy, Draining, EngineFailed, EngineLost, ModelUnavailable, SpeechError, UnknownModel
from speechmlx.models.spec import Model
from speechmlx.runtime.front import runtime
from speechmlx.runtime.front.client import EngineClient, current
from speechmlx.runtime.front.status import ModelStatus, Status
from speechmlx.runtime.ipc.messages import (
    Begun,
    CancelJob,
    Failure,
    HeldModel,
    Input,
    InputConsumed,
    MemoryReport,
    Output,
    Setup,
    Start,
)
from speechmlx.types import (
    Chunk,
    Command,
    End,
    Event,
    Kind,
    Listen,
    Load,
    Priority,
    Request,
    Speak,
    Transcribe,
    Unload,
)

CHUNK = Chunk(b"\0\0", 24000)
LOADED = MemoryReport((HeldModel("tts-row", "loaded", 5, False),))


async def turns() -> None:
    """Let every other task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


# --- submit ---


async def test_a_job_starts_at_once_where_process_and_weights_are_here(up: Front) -> None:
    job = up.runtime.submit(Speak(text="hello"))
    assert up.engine.sent == [Start(job.id, Speak(text="hello", model="tts-row"), TTS, "/")]
    (sent,) = up.engine.sent
    assert isinstance(sent, Start) and sent.model.voices.kept is None  # recordings of others stay here


@pytest.mark.parametrize(
    ("name", "kind", "row"), [(None, Kind.ASR, ASR), ("alias", Kind.TTS, TTS), ("tts-row", None, TTS)]
)
async def test_models_by_name_alias_and_default(name: str | None, kind: Kind | None, row: Model, up: Front) -> None:
    found = up.runtime.model(name, kind)
    assert found == row and found.voices.kept is (up.runtime.voices if row is TTS else None)


async def test_a_runtime_is_the_engines_of_a_conversation(up: Front) -> None:
    engines: Engines = up.runtime  # the type checker holds this
    assert engines.submit(Listen()).model is engines.model(None, Kind.ASR)


async def test_an_unknown_model_is_refused_at_once(up: Front) -> None:
    with pytest.raises(UnknownModel):
        up.runtime.submit(Speak(text="hello", model="nothing"))
    assert up.runtime.status().jobs == 0


async def test_messages_reach_their_job_and_those_of_ended_jobs_are_dropped(up: Front) -> None:
    job, other = up.runtime.submit(Listen()), up.runtime.submit(Listen())
    command: Command = End()
    for _ in range(8):
        await job.send(command)
    waiting = asyncio.create_task(job.send(command))
    await turns()
    assert not waiting.done()
    up.engine.say(InputConsumed(job.id, 1))
    await waiting
    assert up.engine.sent.count(Input(job.id, command)) == 9
    up.engine.say(Output(job.id, CHUNK))
    up.end(job.id)
    up.end(other.id, Failure("busy", "full", 3.0))
    up.engine.say(Output(job.id, CHUNK))
    assert await job.collect() == [CHUNK]
    with pytest.raises(Busy, match="full") as refused:
        await other.collect()
    assert refused.value.retry_after == 3.0


@pytest.mark.parametrize(
    ("request_", "limited"),
    [
        (Speak(text=""), True),
        (Load(model="tts-row"), True),
        (Speak(text="", priority=Priority.REALTIME), False),
        (Listen(priority=Priority.BULK), False),
    ],
)
async def test_the_limit_of_jobs_does_not_count_live_sessions(request_: Request, limited: bool, up: Front) -> None:
    for _ in range(2):
        up.runtime.submit(request_)
    if limited:
        with pytest.raises(Busy, match="max_jobs") as refused:
            up.runtime.submit(request_)
        assert refused.value.retry_after == 1.0
    else:
        up.runtime.submit(request_)
    refusals = sum(count for (_, outcome), count in up.runtime.metrics.jobs.items() if outcome == "busy")
    assert (refusals, up.runtime.status().jobs) == (int(limited), 3 - limited)


async def test_ended_jobs_are_counted_by_outcome(up: Front) -> None:
    jobs = [up.runtime.submit(Listen()) for _ in range(3)]
    up.end(jobs[0].id)
    up.end(jobs[1].id, Failure("engine_failed", "broken"))
    jobs[2].cancel()
    up.end(jobs[2].id)
    assert up.runtime.metrics.jobs == {("asr-row", outcome): 1 for outcome in ("ok", "engine_failed", "cancelled")}


async def test_a_cancelled_job_stays_until_the_engine_process_has_left_it(up: Front) -> None:
    """Else one that hangs would be left alone as soon as its clients have left."""
    job = up.runtime.submit(Listen())
    job.cancel()
    assert up.runtime.status().jobs == 1 and up.runtime._watch._waits()
    up.end(job.id)
    assert up.runtime.status().jobs == 0 and not up.runtime._watch._waits()


# --- weights ---


async def test_a_job_waits_for_the_process(front: Front) -> None:
    job = front.runtime.submit(Speak(text="hello"))
    await turns()
    assert front.engine.started() == []
    front.engine.come_up()
    await turns()
    assert [id for id, _ in front.engine.started()] == [job.id]


async def test_jobs_of_one_model_wait_for_one_fetch(up: Front) -> None:
    del up.folders["tts-row"]
    load, speak = up.runtime.submit(Load(model="tts-row")), up.runtime.submit(Speak(text="hello"))
    await turns()
    assert up.runtime.status().models == (ModelStatus("tts-row", Kind.TTS, "fetching", progress=PROGRESS),)
    (fetch,) = up.fetches
    fetch.set_result("/fetched")
    await turns()
    assert [message.folder for message in up.engine.sent if isinstance(message, Start)] == ["/fetched"] * 2
    assert up.runtime.status().models == ()
    for job in (load, speak):
        up.end(job.id)
    events: list[list[Event]] = [await load.collect(), await speak.collect()]
    assert events == [[PROGRESS], []]


@pytest.mark.parametrize(
    ("error", "raised"), [(ModelUnavailable("no network"), ModelUnavailable), (KeyError("bug"), EngineFailed)]
)
async def test_a_fetch_that_fails_ends_its_jobs(error: Exception, raised: type[SpeechError], up: Front) -> None:
    del up.folders["tts-row"]
    job = up.runtime.submit(Speak(text="hello"))
    await turns()
    up.fetches[0].set_exception(error)
    with pytest.raises(raised):
        await job.collect()


async def test_weights_of_which_a_file_is_lost_while_it_runs_are_fetched_again(up: Front, tmp_path: Path) -> None:
    up.folders["tts-row"] = tmp_path
    up.runtime.submit(Speak(text="hello"))
    assert len(up.engine.started()) == 1
    del up.folders["tts-row"]  # the folder is there and not whole
    up.runtime.submit(Speak(text="hello"))
    await turns()
    assert (len(up.engine.started()), len(up.fetches)) == (1, 1)


# --- unload ---


async def test_an_unload_of_a_model_in_memory_is_sent(up: Front) -> None:
    up.engine.say(LOADED)
    job = up.runtime.submit(Unload(model="tts-row"))
    assert up.engine.started() == [(job.id, Unload(model="tts-row"))]


async def test_an_unload_of_a_model_that_is_not_here_is_done(front: Front) -> None:
    assert await front.runtime.submit(Unload(model="tts-row")).collect() == []
    assert front.engine.sent == []


async def test_an_unload_is_refused_while_jobs_wait_and_stops_a_fetch_without_jobs(up: Front) -> None:
    del up.folders["tts-row"]
    job = up.runtime.submit(Speak(text="hello"))
    await turns()
    with pytest.raises(Busy, match="in use"):
        await up.runtime.submit(Unload(model="tts-row")).collect()
    job.cancel()
    assert [model.state for model in up.runtime.status().models] == ["fetching"]
    await up.runtime.submit(Unload(model="tts-row")).finished()
    assert up.runtime.status().models == ()
    await turns()
    assert up.fetches[0].cancelled()


# --- pinned models ---


async def test_preload_pins_the_default_of_every_kind(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    front = Front(replace(config, preload=True), monkeypatch)
    await front.runtime.start()
    front.engine.come_up()
    await turns()
    loads = [Load(model=name, pin=True, priority=Priority.BULK) for name in ("asr-row", "tts-row")]
    assert sorted((request.model or "") for _, request in front.engine.started()) == ["asr-row", "tts-row"]
    assert all(request in loads for _, request in front.engine.started())
    await front.runtime.close()


@pytest.mark.parametrize(("unloaded", "loads"), [(False, 2), (True, 1)])
async def test_a_pinned_model_is_loaded_again_unless_it_was_unloaded(unloaded: bool, loads: int, up: Front) -> None:
    up.end(up.runtime.submit(Load(model="tts-row", pin=True)).id)
    if unloaded:
        await up.runtime.submit(Unload(model="tts-row")).finished()
    up.engine.end("was ended by SIGKILL")
    up.engine.come_up()
    await turns()
    assert len([request for _, request in up.engine.started() if isinstance(request, Load)]) == loads


# --- the engine process ---


async def test_the_status(up: Front) -> None:
    up.engine.say(MemoryReport((HeldModel("tts-row", "loading", 5, True),)))
    up.runtime.submit(Listen())
    assert up.runtime.status() == Status(
        "ok", "fake", 7, 1, (ModelStatus("tts-row", Kind.TTS, "loading", True, 5),), 1000
    )
    assert up.engine.setup == Setup(1000, 0.0)


async def test_the_settings_of_the_engine_process_reach_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = replace(config, idle_unload=7.0, llm_context=300, keep_wired="off", device="cpu")
    engine = Front(chosen, monkeypatch).engine
    assert (engine.setup, engine.choice) == (Setup(1000, 7.0, 300, "off"), "cpu")


async def test_a_lost_process_ends_the_jobs_that_it_worked_on_and_the_others_wait(up: Front) -> None:
    up.engine.say(LOADED)
    begun, started = (up.runtime.submit(Speak(text=text)) for text in ("hello", "well"))
    up.engine.say(Begun(begun.id))
    del up.folders["asr-row"]
    waiting = up.runtime.submit(Listen())
    await turns()
    up.engine.end("was ended by SIGKILL")
    with pytest.raises(EngineLost, match="SIGKILL while this ran"):
        await begun.collect()
    assert (up.runtime.status().models[1:], up.runtime.metrics.engine_restarts) == ((), 1)
    up.fetches[0].set_result("/fetched")
    await turns()
    assert not waiting.ended and not started.ended
    up.engine.come_up()
    await turns()
    assert {job for job, _ in up.engine.started()[-2:]} == {waiting.id, started.id}


async def test_a_process_that_ends_at_start_fails_the_jobs_that_wait_for_it(front: Front) -> None:
    job = front.runtime.submit(Speak(text="hello"))
    await turns()
    front.engine.end("exited with status 1")
    with pytest.raises(EngineLost, match="status 1 at start"):
        await job.collect()


async def test_a_job_does_not_wait_for_the_process_for_ever(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "ENGINE_WAIT", 0.02)
    job = front.runtime.submit(Speak(text="hello"))
    with pytest.raises(EngineLost, match=r"has not come up for 0\.02 s") as told:
        await asyncio.wait_for(job.collect(), 5)
    assert told.value.retry_after == 5.0 and not told.value.ran


@pytest.mark.parametrize(
    ("request_", "failure", "useful"),
    [
        (Speak(text="hello"), None, True),
        (Speak(text="hello"), Failure("bad_request", "no such voice"), False),
        (Load(model="tts-row"), None, False),
    ],
)
async def test_a_process_that_has_done_work_is_useful(
    request_: Request, failure: Failure | None, useful: bool, up: Front
) -> None:
    """One that ends while it loads its models, again and again, is not."""
    up.end(up.runtime.submit(request_).id, failure)
    assert up.engine.useful == useful


@pytest.mark.parametrize(("reports", "recycled"), [([], 0), ([LOADED], 0), ([LOADED, MemoryReport(())], 1)])
async def test_a_process_whose_models_are_all_unloaded_is_replaced(
    reports: list[MemoryReport], recycled: int, up: Front
) -> None:
    for report in reports:
        up.engine.say(report)
    up.end(99)
    assert up.engine.recycled == recycled


async def test_a_process_with_a_job_is_not_replaced_before_its_end(up: Front) -> None:
    job = up.runtime.submit(Speak(text="hello"))
    up.engine.say(LOADED)
    up.engine.say(MemoryReport(()))
    assert up.engine.recycled == 0
    up.end(job.id)
    assert up.engine.recycled == 1
    later = up.runtime.submit(Transcribe(audio=None))  # type: ignore[arg-type]
    await turns()
    assert later.id not in [id for id, _ in up.engine.started()]


# --- the end ---


async def test_draining_refuses_new_jobs_and_waits_for_running_ones(up: Front) -> None:
    job = up.runtime.submit(Speak(text="hello"))
    draining = asyncio.create_task(up.runtime.drain(10.0))
    await turns()
    with pytest.raises(Draining):
        up.runtime.submit(Speak(text="hello"))
    assert not up.runtime.drained.is_set()
    up.end(job.id)
    await draining
    assert up.runtime.drained.is_set() and job.outcome == "ok"


async def test_draining_waits_for_other_work(up: Front) -> None:
    busy = [True, False]
    await up.runtime.drain(10.0, lambda: busy.pop(0))
    assert busy == []


async def test_jobs_that_still_run_after_draining_end_with_an_error(up: Front) -> None:
    job = up.runtime.submit(Speak(text="hello"))
    await up.runtime.drain(0.0)
    assert up.engine.sent[-1] == CancelJob(job.id)
    with pytest.raises(Draining):
        await job.collect()


async def test_closing_stops_fetches(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    front = Front(config, monkeypatch)
    front.folders.clear()
    await front.runtime.start()
    job = front.runtime.submit(Speak(text="hello"))
    await turns()
    await front.runtime.close()
    assert front.fetches[0].cancelled()
    with pytest.raises(Draining):
        await job.collect()


async def test_one_holder_has_half_of_the_jobs(up: Front) -> None:
    current.set(EngineClient("192.0.2.1", "192.0.2.1"))
    job = up.runtime.submit(Speak(text="hello"))
    assert up.engine.sent == [Start(job.id, Speak(text="hello", model="tts-row"), TTS, "/", "192.0.2.1")]
    with pytest.raises(Busy, match="1 of this client's jobs run or wait, its share of max_jobs"):
        up.runtime.submit(Speak(text="hello"))
    up.runtime.submit(Listen())  # a live session has its own limit
    current.set(EngineClient("192.0.2.2", "192.0.2.2"))
    up.runtime.submit(Speak(text="hello"))
