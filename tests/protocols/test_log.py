"""What a running server says: banner, requests, sockets, models, and its end; and what it never says."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
import soundfile
from support.realtime_client import talk
from support.scripted_conversation import MODELS
from websockets.sync.client import connect

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

LONG = "steps=1000 work=0.02"
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


def lines(server: Server) -> list[str]:
    return server.log.read_text().splitlines()


def until(server: Server, pattern: str) -> str:
    """The first line of the log that holds `pattern`, once it is there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := [line for line in lines(server) if re.search(pattern, line)]:
            return found[0]
        time.sleep(0.02)
    raise AssertionError(f"no line with {pattern!r} in:\n{server.log.read_text()}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    from protocols.conftest import serve

    with serve(tmp_path_factory.mktemp("told"), SPEECHMLX_MODELS=MODELS) as server:
        yield server


def test_five_lines_first_the_address_last_ready(told: Server) -> None:
    until(told, "^Ready$")
    banner = [line for line in lines(told) if not re.match(STAMP, line)]
    assert len(banner) == 5 and banner[0] == f"Starting server on {told.url} - open it in a browser"
    assert banner[1].startswith("Models: ") and banner[2] == f"Docs: {told.url}/docs"
    assert banner[3].startswith("Log: ") and banner[4] == "Ready"
    assert re.match(STAMP + r"INFO    the engine process is ready: .*, pid \d+, after \d", until(told, "is ready"))


def test_a_request_has_a_line_with_what_became_of_it(told: Server, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    secret = "sk-very-secret"
    with told.client() as client:
        heard = client.post(
            f"/transcribe?model=scripted-asr&api_key={secret}",
            content=(tmp_path / "a.wav").read_bytes(),
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "audio/wav"},
        )
        spoken = client.post("/speak", json={"text": "steps=2 nobody's business", "model": "scripted"})
        broken = client.post("/speak", json={"text": "fail=0", "model": "scripted"})
        missing = client.get("/no%0awhere%1b[2J")
    assert [one.status_code for one in (heard, spoken, broken, missing)] == [200, 200, 500, 404]
    line = until(told, rf"POST .*{heard.headers['x-request-id']}")
    assert re.match(
        STAMP + r"INFO    127\.0\.0\.1 POST /transcribe 200, \d+\.\d{3} s, 32\.0 kB in, \d+ B out, scripted-asr, "
        r"1\.0 s of sound \[",
        line,
    )
    line = until(told, rf"POST .*{spoken.headers['x-request-id']}")
    assert re.match(
        STAMP + r"INFO    127\.0\.0\.1 POST /speak 200, \d+\.\d{3} s, \d+ B in, 9\.6 kB out, "
        r"scripted, 0\.2 s made, first after \d\.\d{3} s \[",
        line,
    )
    assert " WARNING 127.0.0.1 POST /speak 500, " in until(told, rf"POST .*\[{broken.headers['x-request-id']}\]")
    assert r" GET /no\nwhere\x1b[2J 404, " in until(told, missing.headers["x-request-id"])
    text = told.log.read_text()
    assert secret not in text and "nobody's business" not in text and "\x1b" not in text


def test_models_that_come_and_go_are_told(told: Server) -> None:
    with told.client() as client:
        client.post("/v1/models", json={"model_name": "scripted-big", "model_type": "audio"}).raise_for_status()
        client.delete("/v1/models/scripted-big").raise_for_status()
    assert re.match(STAMP + r"INFO    fetching scripted-big, 0 MB \[req_\w+\]$", until(told, "fetching scripted-big"))
    assert re.search(
        r"INFO    fetched scripted-big, 0 MB, in \d+\.\d s \[req_\w+\]$", until(told, "fetched scripted-big")
    )
    assert until(told, " loading scripted-big$")
    assert re.search(r"INFO    loaded scripted-big, 1 MB, in \d+\.\d\d s$", until(told, "loaded scripted-big,"))
    assert until(told, " unloaded scripted-big$")


def test_what_asks_for_health_all_day_does_not_fill_the_log(told: Server) -> None:
    with told.client() as client:
        for path in ("/health", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 200
    until(told, "GET /openapi.json 200")
    assert not [line for line in lines(told) if "GET /health" in line or "GET /metrics" in line]


def test_a_client_that_closes_after_a_whole_answer_did_not_leave(told: Server) -> None:
    body, close = {"text": "steps=3", "model": "scripted"}, {"Connection": "close"}
    with told.client() as client:
        client.post("/speak?stream=true", json=body, headers=close).raise_for_status()
    assert until(told, r"POST /speak 200, \d")


def test_clients_that_leave_have_a_line_and_no_traceback(told: Server) -> None:
    address, before = httpx.URL(told.url), len(told.log.read_text())
    for path in ("/speak?stream=true", "/speak"):
        body = json.dumps({"text": LONG, "model": "scripted"}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        with socket.create_connection((address.host, address.port or 80)) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
            if "stream" in path:
                connection.recv(100)
            else:
                time.sleep(0.3)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a farewell
    assert until(told, "POST /speak 200 the client left, ") and until(told, "POST /speak unanswered: the client left, ")
    with connect(told.url.replace("http", "ws") + "/v1/realtime") as talk:
        talk.recv()
    opened = until(told, r"127\.0\.0\.1 WebSocket /v1/realtime opened \[req_")
    id = opened.split("[")[1].rstrip("]")
    assert re.search(
        r"/v1/realtime closed by the client, \d+\.\d{3} s, 0 B in, \d+ B out", until(told, rf"closed.*{id}")
    )
    assert "Traceback" not in told.log.read_text()[before:]


def ask_for_much(server: Server, answers: list[httpx.Response]) -> threading.Thread:
    """A request that takes 20 s, under way."""

    def ask() -> None:
        with server.client() as client:
            answers.append(client.post("/speak", json={"text": LONG, "model": "scripted"}))

    asking = threading.Thread(target=ask)
    asking.start()
    until(server, " loaded scripted, ")
    return asking


def test_the_end_is_told_and_a_second_signal_answers_what_runs(start_server: Start) -> None:
    answers: list[httpx.Response] = []
    with start_server(SPEECHMLX_MODELS=MODELS) as server:
        address = httpx.URL(server.url)
        asking = ask_for_much(server, answers)
        with (
            socket.create_connection((address.host, address.port or 80), 20) as uploading,
            socket.create_connection((address.host, address.port or 80), 20) as idle,
            socket.create_connection((address.host, address.port or 80), 20) as stalled,
            connect(server.url.replace("http", "ws") + "/v1/realtime") as talk,
        ):
            talk.recv()
            idle.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n")
            until(server, "GET /docs 200")
            uploading.sendall(b"POST /enhance HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nsome")
            body = json.dumps({"text": f"{LONG} bytes=96000", "model": "scripted"}).encode()
            head = "POST /speak?stream=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
            stalled.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            assert stalled.recv(9) == b"HTTP/1.1 "  # and nothing more from then on
            server.process.send_signal(signal.SIGINT)
            line = until(server, "finishing")
            assert line.endswith(" finishing 3 requests and 1 socket, up to 10 s; Ctrl-C again to stop now")
            server.process.send_signal(signal.SIGINT)
            asking.join(20)
            (answer,) = answers
            assert answer.status_code == 503 and answer.json() == {"error": "the server is shutting down"}
            assert int(answer.headers["retry-after"]) >= 1
            assert uploading.recv(4096).startswith(b"HTTP/1.1 503 ")
        assert server.process.wait(10) == 0
        until(server, "stopping now$")
        until(server, "WebSocket /v1/realtime closed 1012, ")
        assert lines(server)[-1].endswith(" INFO    stopped")
        assert "Traceback" not in server.log.read_text() and "Exception" not in server.log.read_text()


async def test_a_language_models_server_and_clients_forge_no_lines(start_server: Start) -> None:
    forged = "broken\r\n2026-01-01 00:00:00 ERROR   forged\x1b[2J\u2028forged"

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            late = asked["messages"][-1]["content"] == "late"
            body = json.dumps({"error": {"message": forged}})
            self.send_response(200 if late else 500)
            self.end_headers()
            self.wfile.write((f"data: {body}\n\n" if late else forged).encode())

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/v1"
        with start_server("--llm-url", url, SPEECHMLX_MODELS=MODELS) as server:
            async with talk(server.url) as ws:
                for said in ("at once", "late"):
                    await ws.say(said)
                    await ws.send("response.create")
                    assert (await ws.until("response.done"))["response"]["status"] == "failed"
            with server.client() as client:
                client.get("/a%0d%0a2026-01-01%2000:00:00%20ERROR%20%20%20forged?x=%0aforged")
                client.post("/speak", json={"text": "a", "model": f"m{forged}"})
            until(server, r"POST /speak 404")
            log = server.log.read_text()
        elsewhere.shutdown()
    assert log.count(r"\r\n2026-01-01 00:00:00 ERROR   forged") >= 3 and r"forged\x1b[2J\u2028" in log
    plain = ("Starting", "Models:", "Docs:", "Log:", "Ready")
    assert all(re.match(STAMP, line) or line.startswith(plain) for line in re.split("[\r\n\x85\u2028]", log.rstrip()))
