"""Claims, leases and ends: each job is held by one server, and what a server writes counts while it holds the job."""

from __future__ import annotations

from support.job_rows import BAD, GOOD, add

from speechmlx.jobs import queue, store
from speechmlx.jobs.background_job import BackgroundJob, JobHook, JobState
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.queue import FAR, LEASE

HOOK = JobHook(url="http://a.b/")


async def claim(database: JobDatabase, runner: str, now: float) -> BackgroundJob | None:
    return await database.run(queue.claim, runner, now)


async def test_clients_have_turns(database: JobDatabase) -> None:
    for client in ("ann", "ann", "ann", "bob", "cid"):
        await add(database, client)
    taken = [await claim(database, "me", float(now)) for now in range(1, 6)]
    assert [job and job.client for job in taken] == ["ann", "bob", "cid", "ann", "ann"]
    assert [job and job.number for job in taken] == [1, 4, 5, 2, 3]


async def test_a_job_is_taken_from_a_server_that_is_silent(database: JobDatabase) -> None:
    job = await add(database)
    first = await claim(database, "one", 10.0)
    assert first is not None and (first.state, first.started, first.losses) == (JobState.RUNNING, 10.0, 0)
    assert await claim(database, "two", 10.0 + LEASE - 0.1) is None
    assert await database.run(queue.renew, "one", 12.0) == {job.id}
    assert await claim(database, "two", 12.0 + LEASE - 0.1) is None
    second = await claim(database, "two", 12.1 + LEASE)
    assert second is not None and (second.started, second.losses) == (10.0, 1)
    assert await database.run(queue.renew, "one", 13.0 + LEASE) == set()
    assert not await database.run(queue.save, job.id, "one", [(0, "late")], 1.0, 2.0)
    assert not await database.run(queue.finish, job.id, "one", GOOD, 20.0)
    await database.run(queue.release, job.id, "one")
    assert await database.run(queue.finish, job.id, "two", GOOD, 20.0)


async def test_a_clock_that_was_set_back_holds_up_nothing(database: JobDatabase) -> None:
    await add(database)
    assert await claim(database, "one", 1000.0 + FAR - LEASE)
    assert await claim(database, "two", 1000.0) is None
    assert await claim(database, "two", 900.0) is not None


async def test_a_job_that_is_put_back_waits(database: JobDatabase) -> None:
    job = await add(database)
    await claim(database, "me", 1.0)
    await database.run(queue.release, job.id, "me", 5.0, True)
    assert await claim(database, "me", 4.9) is None
    again = await claim(database, "me", 5.1)
    assert again is not None and again.losses == 1
    await database.run(queue.save, job.id, "me", [], 1.0, 4.0)
    found = await database.run(store.get, job.id)
    assert found is not None and (found.losses, found.progress) == (0, 0.25)


async def test_what_was_recognised_is_kept_in_order_to_the_end(database: JobDatabase) -> None:
    job = await add(database)
    await claim(database, "me", 1.0)
    await database.run(queue.save, job.id, "me", [(0, "a"), (1, "x")], 1.0, 8.0)
    await database.run(queue.save, job.id, "me", [(0, "b"), (0, "c")], 2.0, 8.0)
    assert await database.run(queue.saved, job.id) == {0: ["a", "b", "c"], 1: ["x"]}
    await database.run(queue.drop_saved, job.id, [0])
    assert await database.run(queue.saved, job.id) == {1: ["x"]}
    assert await database.run(queue.finish, job.id, "me", GOOD, 9.0)
    assert await database.run(queue.saved, job.id) == {}
    found = await database.run(store.get, job.id)
    assert found is not None and (found.state, found.done, found.progress) == (JobState.DONE, 8.0, 1.0)
    assert (found.status, found.headers, found.result, found.size) == (200, GOOD.headers, "result-1", 3)


async def test_a_failure_has_its_error(database: JobDatabase) -> None:
    job = await add(database)
    await claim(database, "me", 1.0)
    assert await database.run(queue.finish, job.id, "me", BAD, 9.0)
    found = await database.run(store.get, job.id)
    assert found is not None and (found.state, found.error) == (JobState.FAILED, {"message": "broken"})


async def test_a_webhook_is_due_at_the_end_and_held_by_one(database: JobDatabase) -> None:
    job = await add(database, hook=HOOK)
    assert await database.run(queue.claim_hook, 1.0, 60.0) is None
    await claim(database, "me", 1.0)
    await database.run(queue.finish, job.id, "me", GOOD, 2.0)
    due = await database.run(queue.claim_hook, 3.0, 60.0)
    assert due is not None and (due.hook, due.hook_tries) == (HOOK, 1)
    assert await database.run(queue.claim_hook, 62.0, 60.0) is None
    again = await database.run(queue.claim_hook, 64.0, 60.0)
    assert again is not None and again.hook_tries == 2
    await database.run(queue.end_hook, job.id, "pending", 100.0, "it answered 500")
    assert await database.run(queue.claim_hook, 99.0, 60.0) is None
    last = await database.run(queue.claim_hook, 101.0, 60.0)
    assert last is not None and last.hook_error == "it answered 500"
    await database.run(queue.end_hook, job.id, "delivered")
    assert await database.run(queue.claim_hook, 10_000.0, 60.0) is None
