"""Who steps next: a pure function over what the tasks look like. No clock, no thread.

Three lanes (realtime, interactive, bulk); a waiting task moves up a lane every `AGEING` seconds, so nothing starves.
Inside a lane the one that is due first: see `Task.due` for what that means to a task that makes audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.types import Priority

AGEING = 2.0
"""Seconds of waiting that lift a task by one lane."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the scheduler sees of a task. Times are seconds of one monotonic clock."""

    id: int
    priority: Priority
    due: float
    waiting_since: float
    """When it last stepped, or arrived."""
    runnable: bool = True
    cancelled: bool = False
    batch: str | None = None
    """Tasks with the same batch step together; None steps alone."""
    max_batch: int = 1


def pick(candidates: Sequence[Candidate], now: float) -> list[int]:
    """The ids to step together now: a cancelled one alone (to free it), else the first and those of its batch."""
    for candidate in candidates:
        if candidate.cancelled:
            return [candidate.id]
    ready = sorted((c for c in candidates if c.runnable), key=lambda c: _rank(c, now))
    if not ready:
        return []
    first = ready[0]
    if first.batch is None:
        return [first.id]
    return [c.id for c in ready if c.batch == first.batch][: first.max_batch]


def _rank(candidate: Candidate, now: float) -> tuple[int, float, int]:
    lifted = int((now - candidate.waiting_since) / AGEING)
    return max(candidate.priority - lifted, Priority.REALTIME), candidate.due, candidate.id
