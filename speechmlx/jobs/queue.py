"""What a server does with background jobs: claim, hold, save, end. Every function works in a transaction.

A server holds a job by a lease that it renews. What it writes counts only while it holds the job, so one that was
stopped, and whose job another has taken, changes nothing any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from speechmlx.jobs import store
from speechmlx.jobs.background_job import BackgroundJob, JobState

LEASE = 5.0
"""Seconds after which a job is taken from a server that does not renew its lease."""
FAR = 60.0
"""A lease that ends later than this is from before the clock was set back, and counts for nothing."""
HELD = "id = ? AND runner = ? AND state = 'running'"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended: the result, whose body is in the file `result`, and the error that it failed with."""

    status: int
    headers: tuple[tuple[str, str], ...]
    result: str
    size: int
    """Bytes of the body."""
    error: dict[str, Any] | None = None


def claim(db: Connection, runner: str, now: float) -> BackgroundJob | None:
    """Take the next job: of the client of whom fewest run, then of whom none was taken for longest; its oldest.

    A job that a server held to its end counts as a loss.
    """
    waits = "(state = 'queued' AND not_before <= :now) OR (state = 'running' AND NOT lease BETWEEN :now AND :far)"
    found = db.execute(
        f"""
        WITH heads AS (SELECT client, min(number) AS number FROM jobs WHERE {waits} GROUP BY client)
        SELECT number FROM heads ORDER BY
            (SELECT count(*) FROM jobs WHERE client = heads.client AND state = 'running' AND number != heads.number),
            (SELECT max(claimed) FROM jobs WHERE client = heads.client),
            number
        LIMIT 1
        """,
        {"now": now, "far": now + FAR},
    ).fetchone()
    if found is None:
        return None
    row = db.execute(
        "UPDATE jobs SET losses = losses + (state = 'running'), state = 'running', runner = ?, lease = ?, claimed = ?,"
        f" started = coalesce(started, ?) WHERE number = ? RETURNING {store.COLUMNS}",
        (runner, now + LEASE, now, now, found["number"]),
    )
    return store.from_row(row.fetchone())


def renew(db: Connection, runner: str, now: float) -> set[str]:
    """Hold on to the runner's jobs. Returns their ids: others were cancelled, deleted or taken."""
    rows = db.execute(
        "UPDATE jobs SET lease = ? WHERE runner = ? AND state = 'running' RETURNING id", (now + LEASE, runner)
    )
    return {row["id"] for row in rows.fetchall()}


def release(db: Connection, id: str, runner: str, not_before: float = 0.0, lost: bool = False) -> None:
    """Put a job back, to be taken from `not_before` on. `lost`: it was interrupted, which counts."""
    db.execute(
        f"UPDATE jobs SET state = 'queued', runner = NULL, not_before = ?, losses = losses + ? WHERE {HELD}",
        (not_before, int(lost), id, runner),
    )


def finish(db: Connection, id: str, runner: str, outcome: Outcome, now: float) -> bool:
    """End a job. False if the runner does not hold it any more."""
    state = JobState.DONE if outcome.error is None else JobState.FAILED
    error = None if outcome.error is None else json.dumps(outcome.error)
    changed = db.execute(
        "UPDATE jobs SET state = ?, finished = ?, runner = NULL, status = ?, headers = ?, result = ?, size = ?,"
        f" error = ?, done = CASE WHEN ? THEN coalesce(total, done) ELSE done END WHERE {HELD}",
        (
            state.value,
            now,
            outcome.status,
            json.dumps(outcome.headers),
            outcome.result,
            outcome.size,
            error,
            state == JobState.DONE,
            id,
            runner,
        ),
    )
    if changed.rowcount:
        db.execute("DELETE FROM entries WHERE job = (SELECT number FROM jobs WHERE id = ?)", (id,))
    return bool(changed.rowcount)


# --- what was recognised ------------------------------------------------------------------------------------------


def save(
    db: Connection, id: str, runner: str, entries: Iterable[tuple[int, str]], done: float, total: float | None
) -> bool:
    """Keep what was recognised: (number of the recognition, entry) in order. False if it is not held any more."""
    changed = db.execute(f"UPDATE jobs SET done = ?, total = ?, losses = 0 WHERE {HELD}", (done, total, id, runner))
    if not changed.rowcount:
        return False
    (job,) = db.execute("SELECT number FROM jobs WHERE id = ?", (id,)).fetchone()
    for recognition, entry in entries:
        db.execute(
            "INSERT INTO entries (job, recognition, place, entry) VALUES (?, ?,"
            " (SELECT coalesce(max(place), -1) + 1 FROM entries WHERE job = ? AND recognition = ?), ?)",
            (job, recognition, job, recognition, entry),
        )
    return True


def saved(db: Connection, id: str) -> dict[int, list[str]]:
    """The entries of a job by the number of the recognition."""
    found: dict[int, list[str]] = {}
    rows = db.execute(
        "SELECT recognition, entry FROM entries WHERE job = (SELECT number FROM jobs WHERE id = ?)"
        " ORDER BY recognition, place",
        (id,),
    )
    for recognition, entry in rows:
        found.setdefault(recognition, []).append(entry)
    return found


def drop_saved(db: Connection, id: str, recognitions: Sequence[int]) -> None:
    """Forget the entries of some recognitions of a job."""
    for recognition in recognitions:
        db.execute(
            "DELETE FROM entries WHERE job = (SELECT number FROM jobs WHERE id = ?) AND recognition = ?",
            (id, recognition),
        )


# --- webhooks -----------------------------------------------------------------------------------------------------


def claim_hook(db: Connection, now: float, hold: float) -> BackgroundJob | None:
    """An ended job whose webhook is due; no other server has it for `hold` seconds."""
    row = db.execute(
        "UPDATE jobs SET hook_next = ?, hook_tries = hook_tries + 1 WHERE number = (SELECT number FROM jobs"
        " WHERE hook_state = 'pending' AND state IN ('done', 'failed') AND NOT hook_next BETWEEN ? AND ?"
        f" ORDER BY hook_next LIMIT 1) RETURNING {store.COLUMNS}",
        (now + hold, now, now + 24 * 3600),
    ).fetchone()
    return None if row is None else store.from_row(row)


def end_hook(db: Connection, id: str, state: str, next_try: float = 0.0, error: str | None = None) -> None:
    """Note how a try went: the new state, when the next one is due, and why this one failed."""
    db.execute(
        "UPDATE jobs SET hook_state = ?, hook_next = ?, hook_error = ? WHERE id = ?", (state, next_try, error, id)
    )
