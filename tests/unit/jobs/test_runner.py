"""The runner with a real store: jobs end, go on, are given up, and stop when they are taken away."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.job_rows import GOOD, add

from speechmlx.errors import Busy, Draining, EngineLost, NoRoom, OutOfMemory, RateLimited, SpeechError, WeightsDamaged
from speechmlx.jobs import queue, runner, store
from speechmlx.jobs.background_job import BackgroundJob, JobState
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.files import ORPHAN, JobFiles
from speechmlx.jobs.journal import JobJournal
from speechmlx.jobs.queue import Outcome
from speechmlx.jobs.runner import MOST_LOSSES, JobRunner, Work, is_passing


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BEAT", 0.02)
    monkeypatch.setattr(runner, "NO_ROOM", 0.02)


async def nothing() -> None:
    """A look at the store that nobody waits for."""


@asynccontextmanager
async def running(
    database: JobDatabase, files: JobFiles, work: Work, retention: float = 0.0
) -> AsyncIterator[JobRunner]:
    one = JobRunner(database, files, work, retention, nothing)
    one.start()
    try:
        yield one
    finally:
        await one.stop()


async def until(database: JobDatabase, id: str, holds: Callable[[BackgroundJob | None], bool]) -> BackgroundJob | None:
    async with asyncio.timeout(10):
        while not holds(job := await database.run(store.get, id)):
            await asyncio.sleep(0.01)
    return job


def has_ended(job: BackgroundJob | None) -> bool:
    return job is not None and job.state.is_end


async def good(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
    return GOOD


async def test_a_job_ends_and_its_files_are_deleted(database: JobDatabase, files: JobFiles) -> None:
    job = await add(database)
    files.keep(job.id, b"{}", [])
    async with running(database, files, good):
        found = await until(database, job.id, has_ended)
        assert found is not None and (found.state, found.status) == (JobState.DONE, 200)
        async with asyncio.timeout(30):
            while list((files.folder / job.id).iterdir()):
                await asyncio.sleep(0.01)


async def test_the_files_of_a_job_that_is_dropped_as_it_ends_are_deleted(
    database: JobDatabase, files: JobFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not held any more from the moment that it has ended, and what is not held is dropped."""
    ended, goes_on, finish = threading.Event(), threading.Event(), queue.finish

    def slow(*arguments: Any) -> bool:
        found = finish(*arguments)
        ended.set()
        assert goes_on.wait(30)
        return found

    monkeypatch.setattr(queue, "finish", slow)
    job = await add(database)
    files.keep(job.id, b"{}", [])
    async with running(database, files, good) as one:
        assert await asyncio.to_thread(ended.wait, 30)
        one.drop(job.id)
        await asyncio.sleep(0)
        goes_on.set()
        async with asyncio.timeout(30):
            while list((files.folder / job.id).iterdir()):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (EngineLost("a"), True),
        (OutOfMemory("a"), True),
        (WeightsDamaged("a"), True),
        (Draining("a"), True),
        (Busy("a"), True),
        (RateLimited("a"), False),
        (NoRoom("a"), False),
        (SpeechError("a"), False),
    ],
)
def test_which_errors_pass(error: SpeechError, passes: bool) -> None:
    assert is_passing(error) == passes


DOWN = EngineLost("not up", ran=False)
"""The job did not run, so it cannot be what ends the engine process."""


@pytest.mark.parametrize("error", [Busy("full"), NoRoom("full"), EngineLost("lost"), RuntimeError("bug"), DOWN])
async def test_what_passes_is_tried_again(database: JobDatabase, files: JobFiles, error: Exception) -> None:
    tries: list[int] = []

    async def work(job: BackgroundJob, journal: JobJournal, given: SpeechError | None) -> Outcome:
        tries.append(job.losses)
        if len(tries) < 3:
            raise error
        return GOOD

    job = await add(database)
    async with running(database, files, work):
        await until(database, job.id, has_ended)
    counts = isinstance(error, EngineLost | RuntimeError) and error is not DOWN
    assert tries == ([0, 1, 2] if counts else [0, 0, 0])


async def test_a_job_that_is_always_lost_is_given_up(database: JobDatabase, files: JobFiles) -> None:
    given: list[SpeechError | None] = []

    async def work(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
        given.append(error)
        if error is None:
            raise EngineLost("lost")
        return Outcome(status=503, headers=(), result="", size=0, error={"message": str(error)})

    job = await add(database)
    async with running(database, files, work):
        found = await until(database, job.id, has_ended)
    assert len(given) == MOST_LOSSES + 2 and given[:-1] == [None] * (MOST_LOSSES + 1)
    assert found is not None and found.error is not None and "without getting further" in found.error["message"]


async def test_a_job_that_cannot_even_be_given_up_ends(database: JobDatabase, files: JobFiles) -> None:
    async def work(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
        raise RuntimeError("bug")

    job = await add(database)
    async with running(database, files, work):
        found = await until(database, job.id, has_ended)
    assert found is not None and (found.state, found.status) == (JobState.FAILED, 500)


async def test_a_stop_puts_jobs_back_at_once_and_the_next_run_goes_on(database: JobDatabase, files: JobFiles) -> None:
    began = asyncio.Event()

    async def work(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
        journal.write([(0, "found")])
        began.set()
        await asyncio.Event().wait()
        return GOOD

    job = await add(database)
    async with running(database, files, work):
        await asyncio.wait_for(began.wait(), 5)
    found = await database.run(store.get, job.id)
    assert found is not None and (found.state, found.losses) == (JobState.QUEUED, 0)
    assert await database.run(queue.saved, job.id) == {0: ["found"]}


@pytest.mark.parametrize("away", ["cancelled", "deleted", "taken"])
async def test_a_job_that_is_taken_away_stops(database: JobDatabase, files: JobFiles, away: str) -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def work(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return GOOD

    job = await add(database)
    async with running(database, files, work):
        await asyncio.wait_for(began.wait(), 5)
        if away == "cancelled":
            await database.run(store.cancel, job.id, 1.0)
        elif away == "deleted":
            await database.run(store.delete, job.id)
        else:
            await database.run(lambda db: db.execute("UPDATE jobs SET runner = 'other'"))
        await asyncio.wait_for(stopped.wait(), 5)
    found = await database.run(store.get, job.id)
    state = {"cancelled": JobState.CANCELLED, "deleted": None, "taken": JobState.RUNNING}[away]
    assert (found and found.state) == state


async def test_old_jobs_and_folders_without_a_job_are_deleted(database: JobDatabase, files: JobFiles) -> None:
    kept, old = await add(database), await add(database)
    await database.run(store.cancel, old.id, 1.0)
    lost = "job_" + "0" * 32
    for id in (kept.id, old.id, lost):
        files.keep(id, b"{}", [])
    for id in (kept.id, lost):
        os.utime(files.folder / id, (1.0, 1.0 + ORPHAN))
    await database.run(queue.claim, "other", 2e9)  # so that the kept one is not run here

    async def never(job: BackgroundJob, journal: JobJournal, error: SpeechError | None) -> Outcome:
        await asyncio.Event().wait()
        return GOOD

    async with running(database, files, never, retention=60.0):
        await until(database, old.id, lambda job: job is None)
        async with asyncio.timeout(30):
            while {path.name for path in files.folder.glob("job_*")} != {kept.id}:
                await asyncio.sleep(0.01)


async def test_a_store_that_cannot_be_used_is_looked_at_again(
    database: JobDatabase, files: JobFiles, caplog: pytest.LogCaptureFixture
) -> None:
    database.folder.mkdir()
    file = database.folder / "jobs.sqlite3"
    file.write_bytes(b"no database" * 100)
    async with running(database, files, good) as one:
        async with asyncio.timeout(30):
            while "is damaged" not in caplog.text:
                await asyncio.sleep(0.01)
        for _ in range(3):  # each wakes it, and it looks again
            one.wake()
            await asyncio.sleep(0.05)
        assert caplog.text.count("is damaged") == 1
        file.unlink()
        job = await add(database)
        await until(database, job.id, has_ended)
