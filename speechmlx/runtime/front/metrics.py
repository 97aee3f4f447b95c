"""What is counted while the server runs: plain numbers, kept where they arise and shown by whoever is asked."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: the upper ends of a histogram's buckets."""


class Histogram:
    """How many seconds things took: a count for each of BOUNDS and one for what took longer, and their `sum`."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


class Measures:
    """Of one runtime, since its start. Every method runs on its event loop."""

    def __init__(self) -> None:
        self.jobs: Counter[tuple[str, str]] = Counter()
        """By model and outcome: "ok", "cancelled" or the code of the error."""
        self.first_event: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        """From submit, by the kind of the model and the request."""
        self.total: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        """From submit to the end of jobs that ended well, by the kind of the model and the request."""
        self.stages: defaultdict[str, Histogram] = defaultdict(Histogram)
        """From the end of speech to each stage of a response that it reached."""
        self.sessions = 0
        """Live conversations."""
        self.engine_restarts = 0
        """Times the engine process ended by itself, to be started again."""

    def job(self, model: str, what: tuple[str, str], outcome: str, first_event: float | None, total: float) -> None:
        """A job is over; `what` is the kind of the model and the request."""
        self.jobs[model, outcome] += 1
        if first_event is not None:
            self.first_event[what].observe(first_event)
        if outcome == "ok":
            self.total[what].observe(total)

    def response(self, stages: Mapping[str, float | None]) -> None:
        """A response of a conversation is over; None where it never came to a stage."""
        for stage, seconds in stages.items():
            if seconds is not None:
                self.stages[stage].observe(seconds)
