"""What is counted of the requests at /ws/transcribe, by the machine that sent them."""

from __future__ import annotations

from collections import Counter, defaultdict

from speechmlx.runtime.front.metrics import HistogramSeries, Metrics, NumberSeries
from speechmlx.runtime.histogram import Histogram

MACHINE_LENGTH = 64
"""Characters of a label: a SHA-256 in hexadecimal."""
MAX_MACHINES = 1000
"""Machines that have labels of their own."""
UNKNOWN, OTHER = "unknown", "other"
"""The labels of requests without a machine, and of machines beyond MAX_MACHINES."""


class RequestMetrics:
    """The series asr_* on /metrics. Clients name their machine themselves, so the number of labels has a limit."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._audio: defaultdict[tuple[str, ...], float] = defaultdict(float)
        self._processing: defaultdict[tuple[str, ...], Histogram] = defaultdict(Histogram)
        self._postprocess: defaultdict[tuple[str, ...], Histogram] = defaultdict(Histogram)
        self._machines = {UNKNOWN, OTHER}
        by = ("machine_id", "task")
        metrics.series += [
            NumberSeries("counter", "asr_requests", "Requests answered", (*by, "status"), lambda: self._requests),
            NumberSeries("counter", "asr_audio_seconds", "Audio that was transcribed", by, lambda: self._audio),
            HistogramSeries("asr_processing_seconds", "Recording to answer", by, lambda: self._processing),
            HistogramSeries("asr_postprocess_seconds", "Correction of the text", by, lambda: self._postprocess),
        ]

    def request(self, machine: str, task: str, status: str) -> None:
        """Count an answer: "ok", "unauthorized" or the code of the error."""
        self._requests[self._label(machine), task, status] += 1

    def transcribed(self, machine: str, task: str, audio: float, took: float, postprocess: float | None) -> None:
        """Count the `audio` of a request and how long it `took`; `postprocess` None: there was none. All in seconds."""
        key = (self._label(machine), task)
        self._audio[key] += audio
        self._processing[key].observe(took)
        if postprocess is not None:
            self._postprocess[key].observe(postprocess)

    def _label(self, machine: str) -> str:
        label = machine[:MACHINE_LENGTH]
        if label not in self._machines:
            if len(self._machines) >= MAX_MACHINES + 2:
                return OTHER
            self._machines.add(label)
        return label
