"""Exporters and their settings, by the OTEL_* environment alone."""

from __future__ import annotations

import time

import pytest
from support.traces import collector

from speechmlx.tracing import start, stop
from speechmlx.tracing.otel import exporter_names, open_tracer, unix_time


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["otlp_proto_http"]),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp_proto_http", "console"]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["otlp_proto_grpc"]),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            ["otlp_proto_http"],
        ),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "other"}, ["console"]),
    ],
)
def test_exporters_by_name_and_protocol(environment: dict[str, str], names: list[str]) -> None:
    assert exporter_names(environment) == names


def test_a_collector_gets_the_spans_under_the_name_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    from speechmlx import tracing

    with collector() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "kitchen")
        start({"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, "OTEL_SERVICE_NAME": "kitchen"})
        with tracing.span("one", {"n": 1}):
            pass
        stop()
        assert [(span.name, span.attributes) for span in received.spans] == [("one", {"n": 1})]
        assert received.services == {"kitchen"}


def test_an_exporter_that_is_not_installed_is_named() -> None:
    with pytest.raises(ValueError, match=r"no exporter 'zipkin' for traces; installed are .*console.*otlp_proto_http"):
        open_tracer({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_times() -> None:
    assert unix_time(None) is None
    at = unix_time(time.monotonic() - 5)
    assert at is not None and at / 1e9 == pytest.approx(time.time() - 5, abs=0.5)
