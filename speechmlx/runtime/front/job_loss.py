"""What becomes of the jobs of an engine process that ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from speechmlx.errors import EngineLost
from speechmlx.runtime.front.job import Job


def end_lost(jobs: Iterable[Job], loading: Collection[str], reason: str) -> list[Job]:
    """End those that it worked on with EngineLost; returns those that wait for the next process, to be prepared anew.

    `loading`: the names of the models that it was loading: that may be what ended it. `reason`: "was ended by …".
    """
    waiting = []
    for job in jobs:
        if not job.started:
            continue
        ran = job.begun or job.model.name in loading
        if not ran and job.requeue():
            waiting.append(job)
        else:
            what = "this ran" if ran else "this waited"
            job.finish_with(
                EngineLost(f"the engine process {reason} while {what}; the server starts it again", ran=ran)
            )
    return waiting
