"""Metrics: counters and histograms of one running server. `protocols/metrics.py` publishes them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from speechmlx.runtime.histogram import Histogram


@dataclass(frozen=True)
class NumberSeries:
    """Numbers under a name that the clients of one wire know. `read` gives them, by the values of the labels."""

    kind: Literal["counter", "gauge"]
    name: str
    """Without the "_total" of a counter."""
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[tuple[str, ...], float]]


@dataclass(frozen=True)
class HistogramSeries:
    """Durations under a name that the clients of one wire know. `read` gives them, by the values of the labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[tuple[str, ...], Histogram]]


class Metrics:
    """Numbers of one runtime since its start. Every method runs on the runtime's event loop."""

    def __init__(self) -> None:
        self.jobs: Counter[tuple[str, str]] = Counter()
        """Ended jobs by model and outcome: "ok", "cancelled" or the code of the error."""
        self.first_event: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        """Durations from submit to the first event, by the kind of the model and the class of the request."""
        self.total: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        """Durations from submit to the end of jobs with outcome "ok", by the same key."""
        self.stages: defaultdict[str, Histogram] = defaultdict(Histogram)
        """Durations from the end of speech to each stage of a response."""
        self.sessions = 0
        """Open live sessions."""
        self.wire_sessions: Counter[str] = Counter()
        """Open live sessions by wire."""
        self.live_audio: defaultdict[str, float] = defaultdict(float)
        """Seconds of audio of live sessions by wire."""
        self.live_words: Counter[str] = Counter()
        """Words that became final in live sessions, by wire."""
        self.commit_latency: defaultdict[str, Histogram] = defaultdict(Histogram)
        """Durations from a word's sound to the word, by wire."""
        self.live_lag: defaultdict[str, Histogram] = defaultdict(Histogram)
        """Seconds of audio that wait for recognition, sampled while audio comes, by wire."""
        self.series: list[NumberSeries | HistogramSeries] = []
        """Series of single wires, under names of their own."""
        self.steps: defaultdict[str, Histogram] = defaultdict(Histogram)
        """Durations of the engine's steps by model."""
        self.step_aims: dict[str, float] = {}
        """Seconds that a step should take, by model: of models that size their steps by time."""
        self.engine_waiting = 0
        """Jobs that the engine process has and has not begun."""
        self.engine_memory = 0
        """Bytes that MLX holds: arrays and its cache."""
        self.engine_restarts = 0
        """How often the engine process ended unexpectedly."""
        self.engine_hangs = 0
        """How often it was killed because no step ended: these count as restarts, too."""

    def job(self, model: str, kind: tuple[str, str], outcome: str, first_event: float | None, total: float) -> None:
        """Count an ended job. `kind` is the kind of its model and the class of its request; times are in seconds."""
        self.jobs[model, outcome] += 1
        if first_event is not None:
            self.first_event[kind].observe(first_event)
        if outcome == "ok":
            self.total[kind].observe(total)

    def engine(
        self, steps: Mapping[str, Histogram], waiting: int, memory: int, aims: Mapping[str, float] | None = None
    ) -> None:
        """Take over a report of the engine process: steps by model, jobs not begun, bytes that MLX holds.

        `aims`: seconds that a step should take, by model.
        """
        self.step_aims.update(aims or {})
        for model, durations in steps.items():
            self.steps[model].add(durations)
        self.engine_waiting, self.engine_memory = waiting, memory

    def response(self, stages: Mapping[str, float | None]) -> None:
        """Count the stages of an ended response, in seconds from the end of speech; None for stages not reached."""
        for stage, seconds in stages.items():
            if seconds is not None:
                self.stages[stage].observe(seconds)
