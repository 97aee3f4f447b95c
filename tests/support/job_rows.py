"""Jobs for tests of the store."""

from __future__ import annotations

from speechmlx.jobs import store
from speechmlx.jobs.background_job import BackgroundJob, JobHook, NewJob, new_id
from speechmlx.jobs.database import JobDatabase
from speechmlx.jobs.queue import Outcome
from speechmlx.jobs.store import StoreLimits

ROOMY = StoreLimits(10**9)
GOOD = Outcome(status=200, headers=(("content-type", "text/plain"),), result="result-1", size=3)
BAD = Outcome(status=500, headers=(), result="result-2", size=0, error={"message": "broken"})


def new(client: str = "ann", size: int = 10, hook: JobHook | None = None) -> NewJob:
    """A job that is not kept yet. The owner is the client."""
    return NewJob(id=new_id(), owner=client, client=client, path="/p", size=size, hook=hook)


async def add(
    database: JobDatabase, client: str = "ann", now: float = 1.0, hook: JobHook | None = None
) -> BackgroundJob:
    """A job in the queue."""
    return await database.run(store.add, new(client, hook=hook), now, ROOMY)
