"""What clients do with background jobs: add, read, list, cancel and delete. Every function works in a transaction."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from sqlite3 import Connection, Row

from speechmlx.errors import NoRoom
from speechmlx.jobs.background_job import BackgroundJob, HookState, JobHook, JobState, NewJob

MOST_JOBS = 10_000
"""Jobs in a store, whatever their state."""
OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)
COLUMNS = ", ".join(field.name for field in fields(BackgroundJob))


@dataclass(frozen=True)
class StoreLimits:
    """What a store may hold."""

    size: int
    """Bytes of files."""
    count: int = MOST_JOBS
    share: float = 1.0
    """Of both, for one owner."""


def check_room(db: Connection, owner: str, size: int, limits: StoreLimits) -> None:
    """Raises NoRoom where a job with `size` bytes of files has no place."""
    count, used = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM jobs").fetchone()
    what = "the store of background jobs"
    if count < limits.count and used + size <= limits.size and limits.share < 1.0:
        what = f"this client's share of {what}"
        limits = StoreLimits(int(limits.size * limits.share), max(1, int(limits.count * limits.share)))
        found = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM jobs WHERE owner = ?", (owner,))
        count, used = found.fetchone()
    way_out = "delete jobs (DELETE /v1/jobs/ID), or try again when old ones are gone (job_retention)"
    if count >= limits.count:
        raise NoRoom(f"{what} holds {count} jobs, which is the limit; {way_out}")
    if used + size > limits.size:
        raise NoRoom(
            f"{what} has {used} of {limits.size} bytes in use (job_storage), and this job needs {size}; {way_out}"
        )


def add(db: Connection, new: NewJob, now: float, limits: StoreLimits) -> BackgroundJob:
    """Queue a job. Raises NoRoom."""
    check_room(db, new.owner, new.size, limits)
    hook, hook_state = (json.dumps(asdict(new.hook)), HookState.PENDING.value) if new.hook else (None, None)
    db.execute(
        "INSERT INTO jobs (id, owner, client, path, state, size, created, hook, hook_state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (new.id, new.owner, new.client, new.path, JobState.QUEUED.value, new.size, now, hook, hook_state),
    )
    found = get(db, new.id)
    assert found is not None
    return found


def get(db: Connection, id: str) -> BackgroundJob | None:
    """The job with this id."""
    row = db.execute(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (id,)).fetchone()
    return None if row is None else from_row(row)


def page(
    db: Connection, owner: str | None, limit: int, before: int | None = None, state: JobState | None = None
) -> list[BackgroundJob]:
    """Up to `limit` jobs, the newest first: of `owner`, or of all; with a number under `before`; in `state`."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM jobs WHERE (:owner IS NULL OR owner = :owner)"
        " AND (:before IS NULL OR number < :before) AND (:state IS NULL OR state = :state)"
        " ORDER BY number DESC LIMIT :limit",
        {"owner": owner, "before": before, "state": state and state.value, "limit": limit},
    )
    return [from_row(row) for row in rows]


def open_jobs(db: Connection) -> Counter[str]:
    """How many jobs of each client are queued or run."""
    found = db.execute("SELECT client, count(*) FROM jobs WHERE state IN (?, ?) GROUP BY client", OPEN)
    return Counter({client: count for client, count in found})


def cancel(db: Connection, id: str, now: float) -> bool:
    """End a job that is queued or runs. False if it had ended. Whoever runs it sees that it has lost its lease."""
    changed = db.execute(
        "UPDATE jobs SET state = ?, finished = ?, runner = NULL, size = 0, hook_state = NULL"
        " WHERE id = ? AND state IN (?, ?)",
        (JobState.CANCELLED.value, now, id, *OPEN),
    )
    if changed.rowcount:
        db.execute("DELETE FROM entries WHERE job = (SELECT number FROM jobs WHERE id = ?)", (id,))
    return bool(changed.rowcount)


def delete(db: Connection, id: str) -> None:
    """Forget a job."""
    db.execute("DELETE FROM jobs WHERE id = ?", (id,))


def forget_old(db: Connection, ended_before: float) -> list[str]:
    """Forget the jobs that ended before a time. Returns their ids."""
    rows = db.execute("DELETE FROM jobs WHERE finished < ? AND state NOT IN (?, ?) RETURNING id", (ended_before, *OPEN))
    return [row["id"] for row in rows.fetchall()]


def known(db: Connection, ids: list[str]) -> set[str]:
    """Those of `ids` that are jobs."""
    return {id for id in ids if db.execute("SELECT 1 FROM jobs WHERE id = ?", (id,)).fetchone()}


def from_row(row: Row) -> BackgroundJob:
    """A job from its row."""
    values = dict(zip(row.keys(), row, strict=True))
    values["state"] = JobState(values["state"])
    values["error"] = json.loads(values["error"]) if values["error"] else None
    values["headers"] = tuple((name, value) for name, value in json.loads(values["headers"]))
    values["hook"] = JobHook(**json.loads(values["hook"])) if values["hook"] else None
    values["hook_state"] = HookState(values["hook_state"]) if values["hook_state"] else None
    return BackgroundJob(**values)
