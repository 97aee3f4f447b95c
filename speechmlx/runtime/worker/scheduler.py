"""The scheduler: a pure function that picks the tasks to step next. No clock, no thread.

There are three lanes: realtime, interactive and bulk. A waiting task moves up a lane every AGEING seconds, so that none
starves. Inside a lane the task that is due first steps first; `Task.due` defines when a task is due. Clients have
turns: a task is due later by the time that was spent on others of its client, so that the many tasks of one delay
another client by a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.types import Priority

AGEING = 2.0
"""Seconds of waiting that move a task up by one lane."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task as the scheduler sees it. Times are seconds of one monotonic clock."""

    id: int
    priority: Priority
    due: float
    waiting_since: float
    """When the task last stepped, or arrived."""
    runnable: bool = True
    cancelled: bool = False
    batch: str | None = None
    """Tasks with the same batch step together. A task with None steps alone."""
    max_batch: int = 1
    """Tasks that step together, at most."""
    client: str = ""
    """Tasks with the same client have their turns together; "" is one of its own."""
    behind: float = 0.0
    """Seconds spent on other tasks of the client since this one arrived."""


def pick(candidates: Sequence[Candidate], now: float) -> list[int]:
    """The ids of the tasks to step together now, the one whose turn it is first.

    A cancelled task goes before all others, alone: it is only to be freed.
    """
    for candidate in candidates:
        if candidate.cancelled:
            return [candidate.id]
    waiting = [c for c in candidates if c.runnable]
    turns = _turns(waiting, now)
    ready = sorted(waiting, key=lambda c: (_lane(c, now), turns[_turn_key(c, now)], c.due, c.id))
    if not ready:
        return []
    first = ready[0]
    if first.batch is None:
        return [first.id]
    return [c.id for c in ready if c.batch == first.batch][: first.max_batch]


def _lane(candidate: Candidate, now: float) -> int:
    lifted = int((now - candidate.waiting_since) / AGEING)
    return max(candidate.priority - lifted, Priority.REALTIME)


def _turn_key(candidate: Candidate, now: float) -> tuple[int, str | int]:
    return _lane(candidate, now), candidate.client or candidate.id


def _turns(waiting: Sequence[Candidate], now: float) -> dict[tuple[int, str | int], float]:
    """When each client is due in each lane."""
    turns: dict[tuple[int, str | int], float] = {}
    for candidate in waiting:
        key, due = _turn_key(candidate, now), candidate.due + candidate.behind
        turns[key] = min(due, turns.get(key, due))
    return turns
