"""GET /metrics: counters, gauges and histograms in the text format of Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from itertools import accumulate
from typing import TYPE_CHECKING, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_sessions import LiveSessions
from speechmlx.runtime.front.metrics import HistogramSeries
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.runtime.front.supervisor import State
from speechmlx.runtime.histogram import BOUNDS, Histogram

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.metrics_core import Metric


def routes(services: Services) -> list[BaseRoute]:
    """The route of the metrics."""
    return [Route("/metrics", partial(metrics, services), methods=["GET"])]


async def metrics(services: Services, request: Request) -> Response:
    """Counters, gauges and histograms for Prometheus"""
    await asyncio.to_thread(import_module, "prometheus_client")
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry(auto_describe=False)
    registry.register(RuntimeCollector(services.runtime, services.live))
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})


class RuntimeCollector:
    """A Prometheus collector of the runtime's state and metrics."""

    def __init__(self, runtime: Runtime, live: LiveSessions) -> None:
        self._runtime = runtime
        self._live_sessions = live

    def collect(self) -> Iterator[Metric]:
        """The families of metrics with their current values."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        status, metrics = self._runtime.status(), self._runtime.metrics
        jobs = CounterMetricFamily(
            "speechmlx_jobs", "Jobs over: ok, cancelled or the code of the error", labels=("model", "outcome")
        )
        for labels, count in metrics.jobs.items():
            jobs.add_metric(labels, count)
        yield jobs
        yield GaugeMetricFamily("speechmlx_jobs_running", "Jobs that run or wait", status.jobs)
        yield GaugeMetricFamily("speechmlx_jobs_waiting", "Jobs that the engine has not begun", metrics.engine_waiting)
        yield from self._engine()
        by_request = ("kind", "request")
        yield _histograms(
            "job_first_event", "From submit to a job's first event", by_request, metrics.first_event.items()
        )
        yield _histograms("job", "From submit to the end of jobs that ended well", by_request, metrics.total.items())
        state = GaugeMetricFamily("speechmlx_engine_state", "1 for the engine process's state", labels=("state",))
        for name in get_args(State):
            state.add_metric((name,), name == status.engine)
        yield state
        yield from self._faults()
        model_bytes = GaugeMetricFamily("speechmlx_model_bytes", "Weights of each loaded model", labels=("model",))
        for model in status.models:
            if model.state == "loaded":
                model_bytes.add_metric((model.name,), model.nbytes)
        yield model_bytes
        yield GaugeMetricFamily("speechmlx_sessions", "Live conversations", metrics.sessions)
        away = "Sessions that are kept for a client whose connection broke"
        yield GaugeMetricFamily("speechmlx_sessions_away", away, self._live_sessions.away)
        stages = (((stage,), histogram) for stage, histogram in metrics.stages.items())
        yield _histograms("response_stage", "From the end of speech to a response's stage", ("stage",), stages)
        yield from self._live()
        yield from self._series()

    def _engine(self) -> Iterator[Metric]:
        """The engine process's memory and its steps."""
        from prometheus_client.core import GaugeMetricFamily

        metrics = self._runtime.metrics
        yield GaugeMetricFamily("speechmlx_engine_memory_bytes", "Memory that MLX holds", metrics.engine_memory)
        steps = (((model,), histogram) for model, histogram in metrics.steps.items())
        yield _histograms("engine_step", "Steps of the engine", ("model",), steps)
        aims = GaugeMetricFamily(
            "speechmlx_engine_step_aim_seconds",
            "Time that a step should take, of models that size their steps by time",
            labels=("model",),
        )
        for model_name, seconds in metrics.step_aims.items():
            aims.add_metric((model_name,), seconds)
        yield aims

    def _faults(self) -> Iterator[Metric]:
        """How often the engine process ended or was killed."""
        from prometheus_client.core import CounterMetricFamily

        metrics = self._runtime.metrics
        yield CounterMetricFamily(
            "speechmlx_engine_restarts",
            "Times the engine process ended and was started again",
            metrics.engine_restarts,
        )
        yield CounterMetricFamily(
            "speechmlx_engine_hangs",
            "Times the engine process was killed because no step ended (step_timeout)",
            metrics.engine_hangs,
        )

    def _live(self) -> Iterator[Metric]:
        """The families of live sessions, by wire."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        metrics = self._runtime.metrics
        sessions = GaugeMetricFamily("speechmlx_wire_sessions", "Live sessions by wire", labels=("wire",))
        audio = CounterMetricFamily("speechmlx_live_audio_seconds", "Audio of live sessions", labels=("wire",))
        words = CounterMetricFamily("speechmlx_live_words", "Final words of live sessions", labels=("wire",))
        by_wire = ((sessions, metrics.wire_sessions), (audio, metrics.live_audio), (words, metrics.live_words))
        for family, values in by_wire:
            for wire, value in values.items():
                family.add_metric((wire,), value)
            yield family
        latency = (((wire,), histogram) for wire, histogram in metrics.commit_latency.items())
        yield _histograms("commit_latency", "From a word's sound to the final word", ("wire",), latency)
        lag = (((wire,), histogram) for wire, histogram in metrics.live_lag.items())
        yield _histograms("live_lag", "Audio that waits for recognition, sampled", ("wire",), lag)

    def _series(self) -> Iterator[Metric]:
        """The families of single wires, under the names that their clients know."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for series in self._runtime.metrics.series:
            if isinstance(series, HistogramSeries):
                yield _family(series.name, series.help, series.labels, series.read().items())
                continue
            kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
            family = kind(series.name, series.help, labels=series.labels)
            for labels, value in series.read().items():
                family.add_metric(labels, value)
            yield family


def _histograms(
    name: str, help: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], Histogram]]
) -> HistogramMetricFamily:
    """A family of histograms of durations in seconds, under our own name."""
    return _family(f"speechmlx_{name}_seconds", help, labels, values)


def _family(
    name: str, help: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], Histogram]]
) -> HistogramMetricFamily:
    """A family of histograms of durations in seconds, with cumulative buckets."""
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, help, labels=labels)
    bounds = (*map(str, BOUNDS), "+Inf")
    for key, histogram in values:
        family.add_metric(key, list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum)
    return family
