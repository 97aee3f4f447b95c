"""A job without processes: what it sends for what is done to it, and what its reader gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray

from speechmlx.errors import BadAudio, EngineFailed, SpeechError
from speechmlx.models.spec import Model
from speechmlx.runtime.channel import Channel
from speechmlx.runtime.front.job import Job
from speechmlx.runtime.ipc.messages import (
    INPUT_WINDOW,
    OUTPUT_WINDOW,
    CancelJob,
    Input,
    OutputConsumed,
    Start,
    ToEngine,
)
from speechmlx.types import Chunk, Command, End, Enhance, Event, Feed, Kind, Load, Probability, Progress, Request, Usage

MODEL = Model(name="m", kind=Kind.ENHANCE, engine="none:load", sources=(), size=0, memory=0, rate=16000, licence="none")
CHUNK = Chunk(b"\0\0", 16000)
PROGRESS = Progress("load", 1, 2)
SAMPLES = np.zeros(4, np.float32)


class Front:
    """A job, the messages that it sent, and how often it said that it ended."""

    def __init__(self, request: Request | None = None, started: bool = True) -> None:
        self.sent: list[ToEngine] = []
        self.ended: list[Job] = []
        self.job = Job(7, request or Enhance(model="m"), MODEL, self.sent.append, self.ended.append)
        if started:
            self.job.start("/folder")
            self.sent.clear()


async def turns() -> None:
    """Let every other task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_events_reach_the_reader_in_order_until_the_end() -> None:
    front = Front()
    reading = asyncio.create_task(front.job.collect())
    for event in (CHUNK, Usage(), CHUNK):
        await turns()
        front.job.on_output(event)
    front.job.finish_with(None)
    assert await reading == [CHUNK, Usage(), CHUNK]
    assert (front.job.outcome, front.ended) == ("ok", [front.job])


async def test_an_error_comes_after_the_events_before_it_and_once() -> None:
    front = Front()
    front.job.on_output(CHUNK)
    front.job.finish_with(EngineFailed("first"))
    front.job.finish_with(EngineFailed("second"))
    assert await anext(front.job) == CHUNK
    with pytest.raises(EngineFailed, match="first"):
        await front.job.finished()
    assert (front.job.outcome, front.ended) == ("engine_failed", [front.job])


@pytest.mark.parametrize(("request_", "events"), [(Enhance(), [CHUNK]), (Load(model="m"), [PROGRESS, CHUNK])])
async def test_only_a_load_has_progress(request_: Request, events: list[Event]) -> None:
    front = Front(request_)
    front.job.on_output(PROGRESS)
    assert (front.job.first_event is None) is isinstance(request_, Enhance)
    front.job.on_output(CHUNK)
    front.job.finish_with(None)
    assert front.job.first_event is not None
    assert await front.job.collect() == events


@pytest.mark.parametrize(
    ("outputs", "consumed"),
    [
        ([CHUNK] * (OUTPUT_WINDOW // 2 - 1), []),
        ([CHUNK] * (OUTPUT_WINDOW // 2), [OUTPUT_WINDOW // 2]),
        ([CHUNK] * OUTPUT_WINDOW, [OUTPUT_WINDOW // 2] * 2),
        ([PROGRESS] * OUTPUT_WINDOW, []),
    ],
)
async def test_the_engine_is_told_what_the_reader_took(outputs: list[Event], consumed: list[int]) -> None:
    front = Front(Load(model="m"))
    for event in outputs:
        front.job.on_output(event)
        assert await anext(front.job) == event
    assert front.sent == [OutputConsumed(7, count) for count in consumed]


async def test_commands_before_the_start_are_sent_with_it_in_order() -> None:
    front = Front(started=False)
    feed = Feed(SAMPLES)
    await front.job.send(feed)
    await front.job.end()
    assert front.sent == []
    front.job.start("/folder")
    assert front.sent == [
        Start(7, front.job.request, MODEL, "/folder"),
        Input(7, feed),
        Input(7, End()),
    ]


async def test_a_writer_waits_while_the_engine_is_behind() -> None:
    front = Front()
    for _ in range(INPUT_WINDOW):
        await front.job.send(End())
    feed = Feed(SAMPLES)
    writing = asyncio.create_task(front.job.send(feed))
    await turns()
    assert not writing.done() and len(front.sent) == INPUT_WINDOW
    front.job.on_input_consumed(1)
    await writing
    assert front.sent[-1] == Input(7, feed)


@pytest.mark.parametrize("started", [False, True])
async def test_cancelling_ends_iteration_at_once_and_the_job_once(started: bool) -> None:
    front = Front(started=started)
    async with front.job as job:
        reading = asyncio.create_task(anext(job, None))
        await turns()
    assert await reading is None
    job.cancel()
    assert front.sent == ([CancelJob(7)] if started else [])
    job.finish_with(None)
    assert (job.outcome, front.ended) == ("cancelled", [job])
    await job.send(End())
    job.start("/folder")
    assert len(front.sent) == started


@pytest.mark.parametrize("error", [None, EngineFailed("lost")])
async def test_the_end_releases_a_writer(error: SpeechError | None) -> None:
    front = Front()
    for _ in range(INPUT_WINDOW):
        await front.job.send(End())
    writing = asyncio.create_task(front.job.send(End()))
    await turns()
    front.job.finish_with(error)
    await writing
    assert len(front.sent) == INPUT_WINDOW


# --- feeding ---


async def test_a_job_is_fed_while_it_is_read() -> None:
    front = Front()
    source: Channel[NDArray[np.float32] | Command] = Channel()
    async with front.job.fed_by(source) as job:
        source.put(SAMPLES)
        source.put(Feed(SAMPLES[:2]))
        await turns()
        commands = [message.command for message in front.sent if isinstance(message, Input)]
        assert [command.samples.size for command in commands if isinstance(command, Feed)] == [4, 2]
        source.end()
        await turns()
        assert front.sent[-1] == Input(7, End())
        job.on_output(CHUNK)
        job.finish_with(None)
        assert [event async for event in job] == [CHUNK]


async def test_leaving_stops_the_feeding() -> None:
    front = Front()
    source: Channel[NDArray[np.float32]] = Channel()
    async with front.job.fed_by(source):
        await turns()
    source.put(SAMPLES)
    await turns()
    assert front.sent == [CancelJob(7)]


async def test_an_ended_job_is_not_fed() -> None:
    front = Front()
    front.job.finish_with(None)
    async with asyncio.timeout(30):
        assert await front.job.fed_by(Channel[NDArray[np.float32]]()).collect() == []


@pytest.mark.parametrize("ends", ["cancel", "finish_with"])
async def test_the_end_of_a_job_stops_the_feeding_though_nobody_enters_it(ends: str) -> None:
    stopped = asyncio.Event()

    async def blocks() -> AsyncIterator[NDArray[np.float32]]:
        try:
            await asyncio.Event().wait()
            yield SAMPLES
        finally:
            stopped.set()

    front = Front()
    job = front.job.fed_by(blocks())
    await turns()
    if ends == "cancel":
        job.cancel()
    else:
        job.finish_with(None)
    await stopped.wait()
    assert await job.collect() == []


@pytest.mark.parametrize("error", [BadAudio("cut off"), asyncio.CancelledError()])
async def test_a_source_that_fails_cancels_the_job_and_its_error_reaches_the_reader(error: BaseException) -> None:
    async def blocks() -> AsyncIterator[NDArray[np.float32]]:
        yield SAMPLES
        raise error

    front = Front()
    front.job.on_output(Probability(0.5, 0.0, 1.0))
    async with front.job.fed_by(blocks()) as job:
        assert isinstance(await anext(job), Probability)
        with pytest.raises(type(error)):
            await anext(job)
    sent, cancelled = front.sent
    assert isinstance(sent, Input) and isinstance(sent.command, Feed) and sent.command.samples is SAMPLES
    assert cancelled == CancelJob(7)
