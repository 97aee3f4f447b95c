"""The series of WhisperLive's own server on /metrics, under its names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from speechmlx.runtime.front.metrics import HistogramSeries, Metrics, NumberSeries

NAME = "whisperlive"
"""The wire's name in the series of all live wires."""
REST = ("/v1/audio/transcriptions", "/v1/audio/translations", "/transcribe")
"""Paths of recordings that WhisperLive's servers answer, too."""


class WhisperLiveSeries:
    """What is counted under WhisperLive's names. Some of it is counted of every live wire anyhow."""

    def __init__(self, metrics: Metrics) -> None:
        self.connections = 0
        """Connections that were not rejected."""
        self.rejected: Counter[tuple[str, ...]] = Counter()
        """Connections that were, by reason."""
        self.segments: Counter[tuple[str, ...]] = Counter()
        """Segments sent, "true" for completed ones. A completed one counts once."""
        self.errors: Counter[tuple[str, ...]] = Counter()
        """Errors sent, by code."""
        self._rest: Counter[tuple[str, ...]] = Counter()
        self._metrics = metrics
        self._count("connections", "Connections accepted", (), lambda: {(): float(self.connections)})
        self._count("connections_rejected", "Connections rejected", ("reason",), lambda: self.rejected)
        self._count("segments_emitted", "Segments sent", ("completed",), lambda: self.segments)
        self._count("errors", "Errors by type", ("type",), lambda: self.errors)
        self._count("rest_requests", "Requests with recordings", ("endpoint", "status"), lambda: self._rest)
        self._count("audio_processed_seconds", "Audio of connections", (), lambda: {(): metrics.live_audio[NAME]})
        active = NumberSeries(
            "gauge", f"{NAME}_connections_active", "Connections open", (), lambda: {(): metrics.wire_sessions[NAME]}
        )
        latency = HistogramSeries(
            f"{NAME}_transcription_latency_seconds",
            "From a word's sound to the final word",
            (),
            lambda: {(): metrics.commit_latency[NAME]},
        )
        metrics.series += [active, latency]

    def rest_request(self, path: str, status: int) -> None:
        """Count a request that is over, if it is one for a recording."""
        if path in REST:
            self._rest[path, str(status)] += 1

    def _count(
        self, name: str, help: str, labels: tuple[str, ...], read: Callable[[], Mapping[tuple[str, ...], float]]
    ) -> None:
        self._metrics.series.append(NumberSeries("counter", f"{NAME}_{name}", help, labels, read))
