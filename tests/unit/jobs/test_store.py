"""What clients do with jobs: limits, pages, cancelling, retention."""

from __future__ import annotations

from typing import Any

import pytest
from support.job_rows import GOOD, ROOMY, add, new

from speechmlx.errors import NoRoom
from speechmlx.jobs import queue, store
from speechmlx.jobs.background_job import HookState, JobHook, JobState
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.store import StoreLimits

HOOK = JobHook(url="http://a.b/", method="PUT", sends_result=True)


async def test_a_job_is_what_was_added(database: JobDatabase) -> None:
    job = await add(database, "ann", 5.0, HOOK)
    assert (job.number, job.owner, job.state, job.created, job.size) == (1, "ann", JobState.QUEUED, 5.0, 10)
    assert (job.hook, job.hook_state, job.error, job.progress) == (HOOK, HookState.PENDING, None, 0.0)
    assert await database.run(store.get, "job_" + "0" * 32) is None


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            StoreLimits(25),
            r"the store of background jobs has 20 of 25 bytes in use \(job_storage\), and this job needs 10",
        ),
        (StoreLimits(100, 2), "the store of background jobs holds 2 jobs, which is the limit"),
        (StoreLimits(40, share=0.5), "this client's share of the store of background jobs has 20 of 20 bytes in use"),
        (StoreLimits(100, 5, 0.5), "this client's share of the store of background jobs holds 2 jobs"),
    ],
)
async def test_a_store_has_limits(database: JobDatabase, limits: StoreLimits, says: str) -> None:
    for _ in range(2):
        await add(database)
    with pytest.raises(NoRoom, match=says):
        await database.run(store.add, new(), 1.0, limits)
    if limits.share < 1.0:
        await database.run(store.add, new("bob"), 1.0, limits)


async def test_pages_are_of_an_owner_or_of_all(database: JobDatabase) -> None:
    jobs = [await add(database, client) for client in ("ann", "bob", "ann", "ann")]

    async def numbers(*arguments: Any) -> list[int]:
        return [job.number for job in await database.run(store.page, *arguments)]

    assert await numbers(None, 10) == [4, 3, 2, 1]
    assert await numbers("ann", 2) == [4, 3]
    assert await numbers("ann", 2, 3) == [1]
    assert await numbers("' OR 1=1", 2) == []
    await database.run(store.cancel, jobs[2].id, 2.0)
    assert await numbers(None, 10, None, JobState.CANCELLED) == [3]


async def test_what_is_cancelled_is_no_more_held_nor_told_of(database: JobDatabase) -> None:
    job = await add(database, hook=HOOK)
    await database.run(queue.claim, "me", 2.0)
    await database.run(queue.save, job.id, "me", [(0, "{}")], 1.0, 4.0)
    assert await database.run(store.open_jobs) == {"ann": 1}
    assert await database.run(store.cancel, job.id, 3.0)
    assert not await database.run(store.cancel, job.id, 4.0)
    assert await database.run(queue.renew, "me", 3.0) == set()
    assert not await database.run(queue.finish, job.id, "me", GOOD, 5.0)
    assert await database.run(queue.saved, job.id) == {}
    assert await database.run(queue.claim_hook, 9.0, 1.0) is None
    found = await database.run(store.get, job.id)
    assert found is not None and (found.state, found.finished, found.size) == (JobState.CANCELLED, 3.0, 0)
    assert await database.run(store.open_jobs) == {}


async def test_only_old_ends_are_forgotten(database: JobDatabase) -> None:
    jobs = [await add(database) for _ in range(3)]
    for end in (10.0, 20.0):
        claimed = await database.run(queue.claim, "me", 2.0)
        assert claimed is not None and await database.run(queue.finish, claimed.id, "me", GOOD, end)
    assert await database.run(store.forget_old, 15.0) == [jobs[0].id]
    assert await database.run(store.known, [job.id for job in jobs]) == {jobs[1].id, jobs[2].id}
    await database.run(store.delete, jobs[1].id)
    assert [job.id for job in await database.run(store.page, None, 9)] == [jobs[2].id]
    assert (await database.run(store.add, new(), 1.0, ROOMY)).number == 4
