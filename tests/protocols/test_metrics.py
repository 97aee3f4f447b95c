"""GET /metrics as Prometheus reads it: jobs by outcome, how long they took, the engine process, live conversations."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import httpx
import psutil
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from support.realtime_client import talk
from support.scripted_conversation import MODELS, tone

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Sample(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """What the page says at one moment, by name and labels."""

    def of(self, name: str, **labels: str) -> float | None:
        return self.get((f"speechmlx_{name}", frozenset(labels.items())))


def scraped(client: httpx.Client) -> Sample:
    page = client.get("/metrics")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(page.text)
    return Sample({(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples})


def until(client: httpx.Client, name: str, value: float, **labels: str) -> Sample:
    """The sample in which a number is first what it must become."""
    end = time.monotonic() + 10
    while (found := scraped(client)).of(name, **labels) != value:
        assert time.monotonic() < end, f"{name} {labels} is {found.of(name, **labels)}, not {value}"
        time.sleep(0.02)
    return found


def speak(client: httpx.Client, script: str) -> int:
    return client.post("/speak", json={"text": script, "engine": "scripted"}).status_code


def test_jobs_are_counted_by_how_they_ended(start_server: Start) -> None:
    with start_server("--max-jobs", "1") as server, server.client() as client:
        assert scraped(client).of("jobs_total", model="scripted", outcome="ok") is None
        assert speak(client, "steps=3 work=0.02") == 200
        assert speak(client, "fail=1") == 500
        assert client.post("/speak", json={"text": "x", "engine": "nobody"}).status_code == 404
        asked = {"text": "steps=500 work=0.02", "engine": "scripted"}
        with client.stream("POST", "/speak?stream=true", json=asked) as answer:
            sound = answer.iter_raw()  # kept: the connection closes with it
            next(sound)
            assert scraped(client).of("jobs_running") == 1
            assert speak(client, "steps=1") == 503
        found = until(client, "jobs_total", 1, model="scripted", outcome="cancelled")
        for outcome in ("ok", "engine_failed", "busy"):
            assert found.of("jobs_total", model="scripted", outcome=outcome) == 1
        assert not any("nobody" in dict(labels).values() for _, labels in found)
        assert found.of("jobs_running") == 0
        assert found.of("model_bytes", model="scripted") == 1_000_000


def test_how_long_jobs_took(start_server: Start) -> None:
    speaks = {"kind": "tts", "request": "Speak"}
    with start_server() as server, server.client() as client:
        assert speak(client, "steps=1") == 200  # loads
        before = scraped(client)
        began = time.monotonic()
        assert speak(client, "steps=4 work=0.1") == 200
        took = time.monotonic() - began
        after = scraped(client)
    names = ("job_first_event_seconds_sum", "job_seconds_sum")
    first, total = ((after.of(name, **speaks) or 0.0) - (before.of(name, **speaks) or 0.0) for name in names)
    assert 0.1 <= first < total and 0.4 <= total <= took
    for le, count in (("0.3", 0), ("300.0", 1), ("+Inf", 1)):
        found = [sample.of("job_seconds_bucket", le=le, **speaks) or 0.0 for sample in (before, after)]
        assert found[1] - found[0] == count
    assert after.of("job_seconds_count", **speaks) == after.of("job_first_event_seconds_count", **speaks) == 2


def test_an_engine_process_that_dies_is_counted(start_server: Start) -> None:
    with start_server() as server, server.client() as client:
        found = scraped(client)
        assert (found.of("engine_restarts_total"), found.of("engine_state", state="ok")) == (0, 1)
        assert speak(client, "die=0") == 503
        found = until(client, "engine_state", 1, state="ok")
        assert found.of("engine_restarts_total") == 1
        assert found.of("jobs_total", model="scripted", outcome="engine_lost") == 1
        assert found.of("engine_state", state="degraded") == 0


async def test_conversations_and_the_stages_of_their_answers(start_server: Start) -> None:
    heard: dict[str, Any] = {"input": {"turn_detection": None, "transcription": {}}}
    with start_server(SPEECHMLX_MODELS=MODELS) as server, server.client() as client:
        async with talk(server.url, audio=heard) as ws:
            await ws.play(tone(0.5))
            await ws.send("input_audio_buffer.commit")
            await ws.send("response.create")
            await ws.until("response.done")
            found = await asyncio.to_thread(until, client, "sessions", 1)
        stages = ("transcript", "first_token", "first_audio", "total")
        assert [found.of("response_stage_seconds_count", stage=stage) for stage in stages] == [1, 1, 1, 1]
        sums = [found.of("response_stage_seconds_sum", stage=stage) or 0.0 for stage in stages]
        assert sums == sorted(sums) and sums[0] > 0
        async with talk(server.url) as ws:
            await ws.play(tone(0.5) + tone(0.6, 0))
            await ws.until("response.done")
            found = await asyncio.to_thread(until, client, "sessions", 1)
        later = found.of("response_stage_seconds_sum", stage="transcript") or 0.0
        assert 0.45 < later - sums[0] < 1.5  # since the end of speech, which is half a second before the turn is over
        await asyncio.to_thread(until, client, "sessions", 0)


def test_openmetrics_for_who_asks_for_it(server: Server) -> None:
    with server.client() as client:
        page = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert page.headers["content-type"].startswith(OPENMETRICS)
    names = {family.name for family in openmetrics.text_string_to_metric_families(page.text)}
    assert {"speechmlx_jobs", "speechmlx_jobs_running", "speechmlx_engine_state", "speechmlx_sessions"} <= names


def test_an_engine_process_that_hangs_is_killed_and_told_of(start_server: Start) -> None:
    with start_server(SPEECHMLX_STEP_TIMEOUT="1") as server, server.client() as client:
        assert speak(client, "steps=1") == 200
        children = psutil.Process(server.process.pid).children()
        os.kill(next(child.pid for child in children if "worker.process" in " ".join(child.cmdline())), signal.SIGSTOP)
        assert speak(client, "steps=1") == 200  # it was not begun, so the next process does it
        found = until(client, "engine_state", 1, state="ok")
        assert (found.of("engine_hangs_total"), found.of("engine_restarts_total")) == (1, 1)
        health = client.get("/health").json()
        assert (health["status"], health["engine_hangs"], health["engine_restarts"]) == ("ok", 1, 1)
        assert health["model_memory_bytes"] > 0
        assert speak(client, "steps=1") == 200
