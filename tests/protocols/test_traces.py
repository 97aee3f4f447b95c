"""Traces of a running server, as a collector gets them: every stage of a request, a stream and a turn; no words."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from protocols.test_live_wires import lived, said
from protocols.test_log_json import wave
from protocols.test_realtime_flow import speak
from support.live_wires import open_wire
from support.realtime_client import talk
from support.scripted_conversation import MODELS
from support.traces import Collector, collector

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SOON = "100"
"""Milliseconds after which spans are sent."""


@dataclass(frozen=True)
class Traced:
    """A server and what it sends its spans to."""

    server: Server
    collector: Collector


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    from protocols.conftest import serve

    folder = tmp_path_factory.mktemp("traced")
    with collector() as received:
        start = partial(serve, folder, "--wyoming", "0", SPEECHMLX_MODELS=MODELS, SPEECHMLX_LOG_FORMAT="json")
        with start(OTEL_EXPORTER_OTLP_ENDPOINT=received.url, OTEL_BSP_SCHEDULE_DELAY=SOON) as server:
            yield Traced(server, received)


def test_the_stages_of_a_transcription_in_the_trace_of_the_client(traced: Traced) -> None:
    with traced.server.client() as client:
        answer = client.post(
            "/v1/audio/transcriptions?api_key=sk-very-secret-key",
            data={"model": "scripted-asr", "prompt": "private"},
            files={"file": wave(1.0)},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "traced-1"},
        )
    assert answer.status_code == 200
    whole = traced.collector.until("POST /v1/audio/transcriptions", speechmlx__request_id="traced-1")
    assert (whole.trace, whole.parent, whole.failed) == (TRACE, PARENT, False)
    assert whole.attributes["http.response.status_code"] == 200 and whole.attributes["speechmlx.audio_in_s"] == 1.0
    spans = traced.collector.of(TRACE)
    assert set(spans) == {whole.name, "decode", "transcribe", "prepare", "load model", "queue", "engine"}
    assert {spans[name].parent for name in ("decode", "transcribe")} == {whole.id}
    stages = [spans[name] for name in ("prepare", "load model", "queue", "engine")]
    assert {stage.parent for stage in stages} == {spans["transcribe"].id}
    for before, after in zip([spans["decode"], *stages], stages, strict=False):
        assert whole.begin - 0.01 <= before.begin <= before.end <= after.begin + 0.01
    assert stages[-1].end <= whole.end + 0.01
    (line,) = [line for line in log(traced) if line.get("request_id") == "traced-1" and line.get("event") == "request"]
    assert line["trace_id"] == TRACE
    text = "".join(json.dumps(span.attributes) for span in traced.collector.spans)
    assert "sk-very" not in text and "private" not in text and answer.json()["text"] not in text


def log(traced: Traced) -> list[dict[str, object]]:
    return [json.loads(line) for line in traced.server.log.read_text().splitlines() if line.startswith("{")]


def test_the_first_audio_and_the_encoding_of_speech(traced: Traced) -> None:
    with traced.server.client() as client:
        for format in ("mp3", "pcm"):
            spoken = {"input": "steps=2", "model": "scripted", "voice": "a", "response_format": format}
            answer = client.post("/v1/audio/speech", json=spoken, headers={"X-Request-Id": format})
            assert answer.status_code == 200, answer.text
        failed = client.post("/speak", json={"text": "fail=0", "model": "scripted"}, headers={"X-Request-Id": "f"})
    assert failed.status_code == 500
    for id in ("mp3", "pcm"):
        whole = traced.collector.until("POST /v1/audio/speech", speechmlx__request_id=id)
        spans = traced.collector.of(whole.trace)
        assert {"speak", "engine", "first audio", "encode"} <= set(spans) and spans["encode"].parent == whole.id
        assert spans["first audio"].parent == spans["speak"].id
        assert spans["first audio"].end <= spans["engine"].end + 0.05
    whole = traced.collector.until("POST /speak", speechmlx__request_id="f")
    assert whole.failed and whole.attributes["error.type"] == "engine_failed"
    assert traced.collector.of(whole.trace)["speak"].failed


async def test_a_turn_of_a_conversation_from_its_end_to_the_answer(traced: Traced) -> None:
    heard = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}, "transcription": {}}
    async with talk(traced.server.url, audio={"input": heard}) as ws:
        speaking = speak(ws, 0.5, 1.5)
        await speaking
        await ws.until("response.done")
    session = traced.collector.until("WebSocket /v1/realtime")
    spans = traced.collector.of(session.trace)
    turn, response = spans["turn"], spans["response"]
    assert turn.parent == session.id and response.parent == turn.id
    assert {spans[name].parent for name in ("endpointing", "recognition")} == {turn.id}
    assert {spans[name].parent for name in ("language model", "synthesis")} == {response.id}
    assert turn.begin == pytest.approx(response.begin, abs=0.05)
    assert spans["endpointing"].end - spans["endpointing"].begin == pytest.approx(0.5, abs=0.2)
    assert spans["language model"].begin <= spans["synthesis"].begin + 0.01
    assert spans["synthesis"].end <= response.end + 0.01


async def test_a_request_of_wyoming(traced: Traced) -> None:
    async with open_wire("wyoming", traced.server.url, lived(traced.server).wyoming) as client:
        await client.send(said(0.5))
        await client.finish()
    whole = traced.collector.until("Wyoming transcribe")
    spans = traced.collector.of(whole.trace)
    assert spans["turn"].parent == whole.id and spans["recognition"].parent == spans["turn"].id
    (line,) = [line for line in log(traced) if line.get("wire") == "wyoming"]
    assert line["trace_id"] == whole.trace and line["request_id"] == whole.attributes["speechmlx.request_id"]


def test_a_collector_that_is_not_there_stops_nobody(start_server: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with start_server(OTEL_BSP_SCHEDULE_DELAY=SOON, OTEL_EXPORTER_OTLP_ENDPOINT=url) as server:
            with server.client() as client:
                for _ in range(3):
                    assert client.get("/v1/models").status_code == 200
            began = time.monotonic()
            server.process.terminate()
            assert server.process.wait(20) == 0
            assert time.monotonic() - began < 12
