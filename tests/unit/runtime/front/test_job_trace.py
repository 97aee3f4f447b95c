"""The spans of a job: its stages with the times of both processes, one after the other, under what it is part of."""

from __future__ import annotations

import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from support.fake_supervisor import Front
from support.traces import named, parent_of, spans_in_memory

from speechmlx import tracing
from speechmlx.config import Config
from speechmlx.errors import Busy
from speechmlx.runtime.ipc.messages import Begun, Failure, JobTimes, Output
from speechmlx.types import Chunk, Speak


@pytest.fixture
async def front(monkeypatch: pytest.MonkeyPatch) -> Front:
    front = Front(Config(profile="test"), monkeypatch)
    await front.runtime.start()
    front.engine.come_up()
    return front


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None and span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


async def test_the_stages_of_a_job_that_loads_its_model(front: Front) -> None:
    with spans_in_memory() as exporter:
        with tracing.span("request"):
            job = front.runtime.submit(Speak(text="private", model="alias"))
        front.engine.say(Output(job.id, Chunk(b"\0\0" * 2400, 24000)))
        now = time.monotonic()
        front.end(job.id, times=JobTimes(now, now + 2, now + 3, now + 7, 1.5))
    spans = named(exporter)
    assert set(spans) == {"request", "speak", "prepare", "load model", "queue", "engine", "first audio"}
    whole = spans["speak"]
    assert parent_of(whole) == spans["request"].context.span_id
    stages = {name: span for name, span in spans.items() if name not in ("request", "speak")}
    assert {parent_of(span) for span in stages.values()} == {whole.context.span_id}
    for name, took in (("load model", 2), ("queue", 1), ("engine", 4)):
        assert seconds(spans[name]) == pytest.approx(took, abs=0.01)
    assert spans["engine"].attributes == {"speechmlx.worked_s": 1.5}
    assert whole.attributes == {
        "speechmlx.job": job.id,
        "speechmlx.model": "tts-row",
        "speechmlx.kind": "tts",
        "speechmlx.outcome": "ok",
    }
    assert "private" not in "".join(span.to_json() for span in spans.values())


async def test_a_model_that_is_there_is_not_loaded_and_a_job_that_never_began_has_no_engine(front: Front) -> None:
    now = time.monotonic()
    for begun, stages in ((now + 1, {"speak", "prepare", "queue", "engine"}), (None, {"speak", "prepare"})):
        with spans_in_memory() as exporter:
            job = front.runtime.submit(Speak(text="a", model="alias"))
            front.end(job.id, Failure("busy", "full"), JobTimes(now, None, begun, now + 2, 0.0))
        spans = named(exporter)
        assert set(spans) == stages
        assert spans["speak"].status.status_code is StatusCode.ERROR
        assert spans["speak"].status.description == Busy.code


async def test_jobs_that_the_engine_process_did_not_end_have_a_span(front: Front) -> None:
    with spans_in_memory() as exporter:
        lost, left = (front.runtime.submit(Speak(text="a", model="alias")) for _ in range(2))
        left.cancel()
        front.end(left.id)
        front.engine.say(Begun(lost.id))
        front.engine.end("was ended by SIGKILL")
        assert lost.outcome == "engine_lost"
    spans = [span for span in exporter.get_finished_spans() if span.name == "speak"]
    assert [span.attributes["speechmlx.outcome"] for span in spans if span.attributes] == ["cancelled", "engine_lost"]
    assert [span.status.status_code for span in spans] == [StatusCode.UNSET, StatusCode.ERROR]
