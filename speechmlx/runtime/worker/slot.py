"""A model in memory, or one that is loading, and when the next slice of its load is due."""

from __future__ import annotations

import math
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from speechmlx.engines import Claiming, Engine
from speechmlx.models.spec import Model
from speechmlx.runtime.worker.scheduler import AGEING, Candidate
from speechmlx.runtime.worker.tasks import Task
from speechmlx.types import Priority, Progress

WAIT = 0.5
"""Seconds after which a load for a live session goes before others for a slice: else busy ones would starve it."""


@dataclass(eq=False)
class Slot:
    """A model in memory, or one that is loading: then `engine` is None and `loader` has the next slice.

    `nbytes` of weights; `last_used` and `waiting_since` in seconds of the worker's clock.
    """

    model: Model
    id: int
    loader: Generator[Progress, None, Engine]
    nbytes: int
    last_used: float
    engine: Engine | None = None
    max_batch: int = 0
    """Requests of whole inputs that step together, 0 when each steps alone."""
    max_streams: int = 0
    """Live inputs that step together, 0 when each steps alone."""
    seats: int = sys.maxsize
    claiming: Claiming | None = None
    """The engine, where its requests hold much memory."""
    pinned: bool = False
    loaded: float = 0.0
    """When it was loaded."""
    spent: float = 0.0
    """Seconds of its load so far."""
    waiting_since: float = field(init=False)

    def __post_init__(self) -> None:
        self.waiting_since = self.last_used

    @property
    def held(self) -> int:
        """Bytes that the model's requests hold."""
        return self.claiming.held if self.claiming else 0

    def next_slice(self, tasks: Sequence[Task]) -> Candidate:
        """The next slice of the load, as the scheduler sees it; `tasks` wait for the model.

        A load is as urgent as its most urgent task, and is due later by the time that it had. For a live session it
        goes before all requests, but those who talk already would hear each of its slices: it has the time that they
        leave, and a slice every WAIT seconds.
        """
        priority = min((task.request.priority for task in tasks), default=Priority.BULK)
        if priority == Priority.REALTIME:
            waiting_since = self.waiting_since - (AGEING - WAIT)
            return Candidate(self.id, Priority.INTERACTIVE, -math.inf, waiting_since)
        due = min((task.due + self.spent for task in tasks), default=self.waiting_since)
        return Candidate(self.id, priority, due, self.waiting_since)

    def sliced(self, began: float, now: float) -> None:
        """A slice was loaded from `began` to `now`."""
        self.spent += now - began
        self.last_used = self.waiting_since = now
