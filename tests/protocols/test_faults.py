"""What goes wrong in a real server: a killed engine, clients that leave or do not read, too many, a sudden end."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import resource
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

LONG = "steps=1000 work=0.02"


def speak(script: str, model: str = "scripted") -> dict[str, str]:
    return {"text": script, "model": model}


def engine_pid(server: Server) -> int:
    """The engine process: the server's child that is no fetch."""
    children = psutil.Process(server.process.pid).children()
    return next(child.pid for child in children if "speechmlx.runtime.worker.process" in child.cmdline())


def runs(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def first_byte(client: httpx.AsyncClient, script: str, taken: asyncio.Event) -> Any:
    async with client.stream("POST", "/speak?stream=true", json=speak(script)) as response:
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            taken.set()
        return response.status_code, size


def async_client(server: Server) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=100)
    return httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False, limits=limits)


async def test_the_engine_killed_while_four_jobs_run(start_server: Start) -> None:
    with start_server() as server:
        async with async_client(server) as client:
            events = [asyncio.Event() for _ in range(4)]
            streams = [asyncio.create_task(first_byte(client, LONG, event)) for event in events[:2]]
            whole = [asyncio.create_task(client.post("/speak", json=speak(LONG))) for _ in range(2)]
            await asyncio.gather(*(event.wait() for event in events[:2]))
            await asyncio.sleep(0.2)
            os.kill(engine_pid(server), signal.SIGKILL)
            killed = time.monotonic()
            states = set()

            async def watch() -> None:
                while "ok" not in states or "degraded" not in states:
                    states.add((await client.get("/health")).json()["status"])

            watching = asyncio.create_task(watch())
            answers = await asyncio.gather(*whole)
            broken = await asyncio.gather(*streams, return_exceptions=True)
            assert time.monotonic() - killed < 1.0
            for answer in answers:
                assert answer.status_code >= 500
                assert "SIGKILL" in answer.json()["error"]
            assert all(isinstance(error, httpx.RemoteProtocolError) for error in broken), broken
            after = await client.post("/speak", json=speak("steps=1"))
            assert after.status_code == 200
            await asyncio.wait_for(watching, 10)


def test_what_failed_is_in_the_log_under_the_id_that_the_client_has(server: Server, client: httpx.Client) -> None:
    answer = client.post("/speak", json=speak("fail=0"))
    assert answer.status_code == 500
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("POST", "/speak?stream=1", json=speak("fail=2")) as cut,
    ):
        cut.read()
    lines = server.log.read_text().splitlines()
    for id, what in ((answer.headers["x-request-id"], "failed"), (cut.headers["x-request-id"], "broke off")):
        assert any(
            f" speak {what}: " in line and "scripted to fail" in line and line.endswith(f"[{id}]") for line in lines
        )


async def test_a_client_that_leaves_closes_its_generator(start_server: Start, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with start_server() as server:
        async with async_client(server) as client:
            for path in ("/speak?stream=true", "/speak"):
                trace.unlink(missing_ok=True)
                asking = asyncio.create_task(client.post(path, json=speak(f"{LONG} trace={trace}")))
                while not trace.exists():
                    await asyncio.sleep(0.01)
                asking.cancel()
                left = time.monotonic()
                while '"close"' not in trace.read_text():
                    assert time.monotonic() - left < 2
                    await asyncio.sleep(0.01)
                lines = [json.loads(line) for line in trace.read_text().splitlines()]
                assert len([line for line in lines if line["at"] > left + 0.2]) <= 2
            assert (await client.get("/health")).json()["jobs"] == 0


async def test_a_reader_that_stops_pauses_its_engine_while_others_go_on(start_server: Start, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with start_server() as server:
        address = httpx.URL(server.url)
        stalled = socket.create_connection((address.host, address.port or 80))
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps(speak(f"steps=2000 bytes=96000 trace={trace}")).encode()
        head = "POST /speak?stream=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        with stalled:
            stalled.sendall(head.encode() + body)
            async with async_client(server) as client:
                assert (await client.post("/speak", json=speak("steps=20"))).status_code == 200
                before, settled = -1, 0
                async with asyncio.timeout(20):
                    while settled < 3:
                        now = len(trace.read_text().splitlines()) if trace.exists() else 0
                        settled = settled + 1 if now == before and now > 0 else 0
                        before = now
                        await asyncio.sleep(0.2)
                assert before < 1000
                assert (await client.post("/speak", json=speak("steps=20"))).status_code == 200
            assert '"close"' not in trace.read_text()  # paused, not ended


async def test_sixty_four_at_once_and_more(start_server: Start) -> None:
    with start_server("--max-jobs", "16") as server:
        async with async_client(server) as client:
            async with asyncio.timeout(30):
                answers = await asyncio.gather(
                    *(client.post("/speak", json=speak("steps=2 work=0.02")) for _ in range(64))
                )
            codes = [answer.status_code for answer in answers]
            assert set(codes) <= {200, 503}
            assert codes.count(200) >= 16
            assert 503 in codes
            for answer in answers:
                if answer.status_code == 503:
                    assert int(answer.headers["retry-after"]) >= 1
                    assert "16" in answer.json()["error"]


async def test_sigterm_in_the_middle_lets_a_stream_finish_and_leaves_no_process(start_server: Start) -> None:
    with start_server() as server:
        worker = engine_pid(server)
        async with async_client(server) as client:
            started = asyncio.Event()
            streaming = asyncio.create_task(first_byte(client, "steps=50 work=0.02", started))
            await started.wait()
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            refused = await client.post("/speak", json=speak("steps=1"))
            assert refused.status_code == 503
            code, size = await streaming
            assert (code, size) == (200, 44 + 50 * 4800)
        assert server.process.wait(10) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the system sets no limits of a process from outside")
def test_a_request_that_the_disk_cannot_take(server: Server, client: httpx.Client) -> None:
    """No file may be over a megabyte for a while; what fits into memory goes on."""
    pid, kind = server.process.pid, resource.RLIMIT_FSIZE
    before = resource.prlimit(pid, kind)
    recording, logged = bytes(6_000_000), server.log.stat().st_size
    resource.prlimit(pid, kind, (1 << 20, before[1]))
    try:
        answers = [
            client.post("/transcribe", content=recording),
            client.post("/v1/audio/transcriptions", files={"file": ("a.wav", recording)}),
            client.post("/enhance", json={"audio_base64": base64.b64encode(recording).decode()}),
        ]
        spoken = client.post("/speak", json=speak("steps=1"))
    finally:
        resource.prlimit(pid, kind, before)
    told = [answers[0].json()["error"], answers[1].json()["error"]["message"], answers[2].json()["error"]]
    assert [answer.status_code for answer in answers] == [507] * 3 and spoken.status_code == 200
    assert all(
        re.fullmatch(r"the folder for temporary files \(/.*\) has no room for the request: .*", text) for text in told
    )
    assert "Traceback" not in server.log.read_text()[logged:]


async def test_two_signals_end_it_now(start_server: Start) -> None:
    with start_server() as server:
        async with async_client(server) as client:
            started = asyncio.Event()
            streaming = asyncio.create_task(first_byte(client, LONG, started))
            await started.wait()
            server.process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.3)
            assert server.process.poll() is None
            server.process.send_signal(signal.SIGINT)
            with pytest.raises(httpx.RemoteProtocolError):
                await streaming
        assert server.process.wait(10) == 0


async def test_the_front_killed_takes_its_engine_along(start_server: Start) -> None:
    with start_server() as server:
        worker = engine_pid(server)
        server.process.kill()
        server.process.wait()
        async with asyncio.timeout(10):
            while runs(worker):
                await asyncio.sleep(0.02)


async def test_health_answers_while_a_model_loads_and_an_engine_works(start_server: Start) -> None:
    with start_server() as server:
        async with async_client(server) as client:
            working = [
                asyncio.create_task(client.post("/speak", json=speak("steps=30 work=0.05"))),
                asyncio.create_task(client.post("/speak", json=speak("steps=1", "scripted-slow"))),
            ]
            count = 0
            while not all(task.done() for task in working):
                assert (await client.get("/health")).json()["status"] == "ok"
                count += 1
            assert count > 50
            assert [task.result().status_code for task in working] == [200, 200]
