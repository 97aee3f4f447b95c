"""Spans of a test: kept in memory, or received as OTLP by HTTP, as a collector would."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from speechmlx import tracing
from speechmlx.tracing.otel import OtelTracer


@contextmanager
def spans_in_memory() -> Iterator[InMemorySpanExporter]:
    """Trace in this process until the block ends."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OtelTracer(provider))
    try:
        yield exporter
    finally:
        tracing.use(None)


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The ended spans by name."""
    return {span.name: span for span in exporter.get_finished_spans()}


def parent_of(span: ReadableSpan) -> int | None:
    """The id of the span that `span` is part of."""
    return None if span.parent is None else span.parent.span_id


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came: ids as hexadecimal digits, times in seconds since 1970."""

    name: str
    trace: str
    id: str
    parent: str
    begin: float
    end: float
    failed: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Receives spans at `url`."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    def until(self, name: str, **attributes: object) -> ReceivedSpan:
        """The first span with this name and these attributes, dots written as two underscores."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for span in list(self.spans):
                if span.name == name and wanted.items() <= span.attributes.items():
                    return span
            time.sleep(0.02)
        raise AssertionError(f"no span {name!r} with {wanted} in {[(one.name, one.attributes) for one in self.spans]}")

    def of(self, trace: str) -> dict[str, ReceivedSpan]:
        """The spans of a trace by name."""
        return {span.name: span for span in self.spans if span.trace == trace}

    def take(self, body: bytes) -> None:
        """Read the body of an export."""
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            self.services |= {
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            }
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                values = {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                times = (span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9)
                self.spans.append(ReceivedSpan(span.name, *ids, *times, span.status.code == 2, values))


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""
    received = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            received.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *given: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()
