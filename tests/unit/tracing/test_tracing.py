"""Traces: off without a word of the environment, and nothing is imported then; times, parents and errors of spans."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time

import pytest
from opentelemetry.trace import StatusCode
from support.traces import named, parent_of, spans_in_memory

from speechmlx import tracing
from speechmlx.errors import Busy
from speechmlx.tracing import NO_SPAN, begin, continued, current, is_on, span, stage, start, stop, wanted

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "a"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_environment_says_whether_anything_is_traced(environment: dict[str, str], on: bool) -> None:
    assert wanted(environment) is on


def test_nothing_is_imported_where_it_is_off() -> None:
    code = (
        "import sys, speechmlx.serve; from speechmlx import tracing; tracing.start({}); assert not tracing.is_on();"
        "print(sorted(name for name in sys.modules if 'opentelemetry' in name or name == 'speechmlx.tracing.otel'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_what_is_off_costs_nothing_and_does_nothing() -> None:
    assert not is_on() and begin("a") is NO_SPAN and continued("a", {}, {}) is NO_SPAN and current() is NO_SPAN
    with span("a") as made, made.active():
        made.set({"b": 1})
        made.name("c")
        made.end()
    stage("a", 0.0, 1.0, made)
    stop()
    assert made.trace_id == ""


async def test_stages_are_part_of_the_active_one_also_in_tasks() -> None:
    async def work() -> None:
        with span("inner", {"n": 1, "left out": None}):
            await asyncio.sleep(0)

    with spans_in_memory() as exporter:
        outer = begin("outer")
        with outer.active():
            task = asyncio.create_task(work())
        await task
        with span("beside"):
            pass
        outer.set({"a": "b", "c": None})
        outer.name("renamed")
        outer.end()
    spans = named(exporter)
    assert set(spans) == {"inner", "beside", "renamed"}
    outside = spans["renamed"]
    assert parent_of(spans["inner"]) == outside.context.span_id and spans["beside"].parent is None
    assert spans["inner"].attributes == {"n": 1} and outside.attributes == {"a": "b"}
    assert outer.trace_id == f"{outside.context.trace_id:032x}"


def test_times_are_those_of_the_monotonic_clock() -> None:
    now = time.monotonic()
    with spans_in_memory() as exporter:
        whole = begin("whole", at=now - 3)
        stage("part", now - 2, now - 1.5, whole, {"n": 2})
        stage("never", now, now - 1, whole)
        whole.end(now)
    spans = named(exporter)
    assert set(spans) == {"whole", "part"} and parent_of(spans["part"]) == spans["whole"].context.span_id
    begun, ended = spans["part"].start_time, spans["part"].end_time
    assert begun is not None and ended is not None
    assert (ended - begun) / 1e9 == pytest.approx(0.5, abs=0.01)
    assert begun / 1e9 == pytest.approx(time.time() - 2, abs=1)


def test_an_error_ends_a_stage_with_its_code_and_none_of_its_text() -> None:
    with spans_in_memory() as exporter:
        for error in (Busy("what was said"), ZeroDivisionError("what was said")):
            with pytest.raises(type(error)), span(type(error).__name__):
                raise error
    spans = named(exporter)
    for name, code in (("Busy", "busy"), ("ZeroDivisionError", "ZeroDivisionError")):
        assert spans[name].status.status_code is StatusCode.ERROR and spans[name].status.description == code
        assert spans[name].attributes == {"error.type": code} and not spans[name].events


@pytest.mark.parametrize("header", ["", "00-0-0-01", PARENT + "x", PARENT.replace("0af7", "zzzz"), "x" * 10_000])
def test_a_trace_of_the_client_goes_on_and_a_wrong_one_is_new(header: str) -> None:
    with spans_in_memory() as exporter:
        continued("right", {"traceparent": PARENT, "tracestate": "a=b"}, {}).end()
        continued("wrong", {"traceparent": header, "tracestate": "x" * 10_000}, {}).end()
    spans = named(exporter)
    assert f"{spans['right'].context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{parent_of(spans['right']):016x}" == PARENT.split("-")[2]
    assert spans["wrong"].parent is None and spans["wrong"].context.trace_id


def test_what_keeps_it_from_tracing_is_told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    start({"OTEL_TRACES_EXPORTER": "none-such"})
    assert "there is no exporter 'none-such' for traces; installed are " in caplog.text and not is_on()
    start({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier/pigeon"})
    assert "allowed are http/protobuf, grpc" in caplog.text and not is_on()
    monkeypatch.setitem(sys.modules, "speechmlx.tracing.otel", None)
    start({"OTEL_TRACES_EXPORTER": "otlp"})
    assert "audio-server extras install otel" in caplog.text and not is_on()
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_an_exporter_that_hangs_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LAST_SPANS", 0.05)
    closing: list[str] = []

    class Stuck:
        def close(self) -> None:
            closing.append("begun")
            time.sleep(1)

    tracing.use(Stuck())  # type: ignore[arg-type]
    began = time.monotonic()
    stop()
    assert time.monotonic() - began < 0.9 and closing == ["begun"] and not is_on()
