"""Spans by OpenTelemetry. The OTEL_* environment says where they go, how many and under which names."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from speechmlx import __version__
from speechmlx.tracing import EXPORTER, Attributes, Span, code_of

GROUP = "opentelemetry_traces_exporter"
"""Entry points of exporters."""
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""Entry points of the exporters named otlp, by protocol."""
MAX_HEADER = 512
"""Characters of a header that names a trace."""
HEADERS = ("traceparent", "tracestate")


def open_tracer(environment: Mapping[str, str]) -> OtelTracer:
    """A tracer with the exporters that the environment names. Raises ValueError where there is no such exporter."""
    resource = Resource.create({SERVICE_NAME: "speechmlx", SERVICE_VERSION: __version__})
    if name := environment.get("OTEL_SERVICE_NAME"):
        resource = resource.merge(Resource({SERVICE_NAME: name}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for name in exporter_names(environment):
        found = list(entry_points(group=GROUP, name=name))
        if not found:
            there = ", ".join(sorted(entry_points(group=GROUP).names))
            raise ValueError(f"there is no exporter {name!r} for traces; installed are {there}")
        provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    return OtelTracer(provider)


def exporter_names(environment: Mapping[str, str]) -> list[str]:
    """The entry points of the exporters. Raises ValueError for an unknown protocol."""
    named = [one.strip() for one in environment.get(EXPORTER, "otlp").split(",")]
    protocol = next((value for name in PROTOCOLS if (value := environment.get(name, "").strip())), "http/protobuf")
    if "otlp" in named and protocol not in OTLP:
        raise ValueError(f"{protocol!r} is no protocol of OTLP here; allowed are {', '.join(OTLP)}")
    return [OTLP[protocol] if name == "otlp" else name for name in named if name]


class OtelSpan:
    """A span."""

    def __init__(self, span: trace.Span) -> None:
        self.span = span

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)

    def set(self, attributes: Attributes) -> None:
        """Add attributes; those that are None are left out."""
        self.span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def name(self, name: str) -> None:
        """Change its name."""
        self.span.update_name(name)

    def end(self, at: float | None = None, error: str | BaseException | None = None) -> None:
        """It ended at `at`, else now; with an error or the code of one."""
        if error is not None:
            code = code_of(error)
            self.span.set_attribute("error.type", code)
            self.span.set_status(trace.Status(trace.StatusCode.ERROR, code))
        self.span.end(unix_time(at))

    def active(self) -> AbstractContextManager[object]:
        """What begins in the block, and in tasks that it starts, is part of it."""
        return trace.use_span(self.span, record_exception=False, set_status_on_exception=False)


class OtelTracer:
    """Makes spans with a provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("speechmlx", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, name: str, attributes: Attributes, at: float | None, parent: Span | None) -> Span:
        """A span from `at`, else now. It is part of `parent`, else of the active one."""
        inside = trace.set_span_in_context(parent.span) if isinstance(parent, OtelSpan) else None
        return self._made(name, attributes, inside, at)

    def continued(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """The span of a request that another program sent, whose trace its headers name."""
        carrier = {key: value for key in HEADERS if (value := headers.get(key)) and len(value) <= MAX_HEADER}
        inside = self._propagator.extract(carrier, context.Context())
        return self._made(name, attributes, inside, kind=trace.SpanKind.SERVER)

    def current(self) -> Span:
        """The active span."""
        return OtelSpan(trace.get_current_span())

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()

    def _made(
        self,
        name: str,
        attributes: Attributes,
        inside: context.Context | None,
        at: float | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
    ) -> OtelSpan:
        known: dict[str, Any] = {key: value for key, value in attributes.items() if value is not None}
        return OtelSpan(self._tracer.start_span(name, inside, kind, known, start_time=unix_time(at)))


def unix_time(at: float | None) -> int | None:
    """Nanoseconds since 1970 of a time on the monotonic clock; None for now."""
    return None if at is None else time.time_ns() - int((time.monotonic() - at) * 1e9)
