"""Hostile and unlucky clients against a real server: a clear error or a closed job each time, and memory stays flat."""

from __future__ import annotations

import io
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
import soundfile
from starlette.requests import ClientDisconnect, Request
from support.hostile_forms import GOOD, RATE, TONE, TYPES, WAV, fuzzed

from speechmlx.audio.codecs import encoder
from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.errors import SpeechError
from speechmlx.protocols.http.request_body import read_body

MB = 1024 * 1024
HEAR = "/v1/audio/transcriptions"


def written(format: str, pcm16: bytes = TONE, rate: int = RATE) -> bytes:
    made = encoder(format, rate)
    return made.push(pcm16) + made.finish()


def memory(server: Any) -> int:
    """Bytes that the server and its engine process hold."""
    process = psutil.Process(server.process.pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


def hear(client: httpx.Client, data: bytes, name: str = "a.wav", type: str = "audio/wav") -> httpx.Response:
    form = {"model": "scripted-asr", "prompt": "steps=1"}
    return client.post(HEAR, data=form, files={"file": (name, data, type)})


def idle(client: httpx.Client, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while client.get("/health").json()["jobs"] and time.monotonic() < end:
        time.sleep(0.02)
    return client.get("/health").json()["jobs"] == 0


@pytest.fixture
def server(all_scripted: Any) -> Any:
    return all_scripted


@pytest.fixture
def client(server: Any) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


# --- Files that lie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["image/png", "text/html", "audio/mpeg", "", "x/y; charset=\x7f"])
def test_what_a_file_is_called_does_not_matter(client: httpx.Client, type: str) -> None:
    assert hear(client, WAV, "picture.png", type).json()["text"] == "part 0."


@pytest.mark.parametrize("format", sorted(set(MEDIA_TYPES) - {"pcm"}))
def test_truncated_files_give_what_they_hold_or_an_error(client: httpx.Client, format: str) -> None:
    data = written(format)
    seen = set()
    for end in [*range(0, 200, 7), *range(200, len(data), len(data) // 12)]:
        answer = hear(client, data[:end])
        seen.add(answer.status_code)
        assert answer.status_code in (200, 415), (end, answer.text)
        if answer.status_code == 415:
            assert answer.json()["error"]["code"] == "invalid_audio"
    assert seen == {200, 415}


@pytest.mark.parametrize("format", sorted(set(MEDIA_TYPES) - {"pcm"}))
def test_damaged_files_are_an_answer_too(client: httpx.Client, format: str) -> None:
    data, chance = written(format), random.Random(format)
    for _ in range(40):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 10, 200))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert hear(client, bytes(damaged)).status_code in (200, 413, 415)


def test_headers_that_promise_the_moon(client: httpx.Client) -> None:
    endless = bytearray(WAV)
    endless[4:8] = endless[40:44] = b"\xff\xff\xff\xff"
    assert hear(client, bytes(endless)).status_code == 200
    for place, value in ((22, b"\xff\xff"), (24, b"\x00\x00\x00\x00"), (24, b"\xff\xff\xff\xff")):
        broken = bytearray(WAV)
        broken[place : place + len(value)] = value
        assert hear(client, bytes(broken)).status_code == 415


def test_a_small_file_that_decodes_to_hours(client: httpx.Client, server: Any) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(6 * 3600 * 1000, np.int16), 1000, format="FLAC")
    bomb = file.getvalue()
    assert len(bomb) < MB / 4
    hear(client, WAV)
    before, peak = memory(server), 0
    with ThreadPoolExecutor() as pool, server.client() as another:
        sending = pool.submit(hear, another, bomb)
        while not sending.done():
            peak = max(peak, memory(server))
            began = time.monotonic()
            assert client.get("/health").status_code == 200 and time.monotonic() - began < 2
            time.sleep(0.05)
        answer = sending.result()
    assert answer.status_code == 413 and "seconds" in answer.json()["error"]["message"]
    assert peak - before < 600 * MB
    assert idle(client) and memory(server) - before < 100 * MB


def test_a_full_server_says_so_before_it_decodes(start_server: Any) -> None:
    """What it is sent is no audio, but that it does not look at."""
    with (
        start_server("--asr", "scripted-asr", SPEECHMLX_MAX_JOBS="1") as server,
        server.client() as client,
        ThreadPoolExecutor() as pool,
        server.client() as another,
    ):
        form = {"prompt": "steps=1000 work=0.05"}
        pool.submit(another.post, HEAR, data=form, files={"file": WAV})
        while client.get("/health").json()["jobs"] == 0:
            time.sleep(0.02)
        for answer in (
            client.post(HEAR, files={"file": b"no audio at all"}),
            client.post("/transcribe", files={"file": b"no audio at all"}),
            client.post("/transcribe", content=b"no audio at all"),
        ):
            assert answer.status_code == 503 and "max_jobs" in answer.text and answer.headers["retry-after"]
        server.process.kill()


# --- Bodies that are no form -------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_ten_thousand_fuzzed_forms_are_read_or_refused() -> None:
    chance = random.Random(7)
    read = refused = 0
    for _ in range(10_000):
        body, step = fuzzed(chance), chance.choice((1 << 20, 97, 1000))
        pieces = [body[start : start + step] for start in range(0, len(body), step)]
        messages = iter(
            {"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)}
            for number, piece in enumerate(pieces)
        )

        async def receive(messages: Iterator[dict[str, Any]] = messages) -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        headers = [(b"content-type", chance.choice(TYPES).encode())]
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
        async with AsyncExitStack() as stack:
            try:
                await read_body(Request(scope, receive), MB, stack)
                read += 1
            except (SpeechError, ClientDisconnect):
                refused += 1
    assert read > 1000 < refused


@pytest.mark.timeout(200)
def test_fuzzed_forms_over_the_wire(client: httpx.Client, server: Any) -> None:
    chance = random.Random(11)
    hear(client, WAV)
    before = memory(server)
    for number in range(3000):
        path = (HEAR, "/transcribe", "/v1/audio/speech")[number % 3]
        answer = client.post(path, content=fuzzed(chance), headers={"Content-Type": chance.choice(TYPES)})
        assert answer.status_code < 500, answer.text
    assert idle(client) and hear(client, WAV).status_code == 200
    assert memory(server) - before < 40 * MB


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{", b'{"input":', b'"input"', b"[" * 200_000, b'{"a":' * 100_000, b"\xff\xfe",
        b'{"input": NaN}',
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/audio/speech", HEAR, "/v1/models", "/token"])
def test_json_that_is_none(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in ((200, 400) if path == "/token" else (400,)), answer.text


# --- Clients that stall and leave --------------------------------------------------------------------------------


def connected(server: Any) -> socket.socket:
    place = urlsplit(server.url)
    return socket.create_connection((place.hostname or "", place.port or 0))


def start_of_upload(size: int) -> bytes:
    return (
        f"POST {HEAR} HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        f"Content-Length: {size}\r\n\r\n"
    ).encode()


def test_slow_uploads_hold_nobody_up(client: httpx.Client, server: Any) -> None:
    slow = [connected(server) for _ in range(30)]
    try:
        for one in slow:
            one.sendall(start_of_upload(len(GOOD)))
        for place in range(0, 60):
            for one in slow:
                one.sendall(GOOD[place : place + 1])
            if place % 10 == 0:
                began = time.monotonic()
                assert hear(client, WAV).status_code == 200
                assert time.monotonic() - began < 3
        for one in slow:
            one.sendall(GOOD[60:])
        for one in slow:
            one.settimeout(20)
            assert b" 200 " in one.recv(65536).split(b"\r\n")[0]
    finally:
        for one in slow:
            one.close()


def test_leaving_in_the_middle_of_an_upload(client: httpx.Client, server: Any) -> None:
    hear(client, WAV)

    def leave() -> None:
        with connected(server) as one:
            one.sendall(start_of_upload(50 * MB) + GOOD[:300])
            one.sendall(bytes(6 * MB))

    for _ in range(5):
        leave()
    time.sleep(0.5)
    before = memory(server)
    for _ in range(25):
        leave()
    assert idle(client)
    time.sleep(0.5)
    assert memory(server) - before < 40 * MB


@pytest.mark.timeout(120)
@pytest.mark.parametrize("format", ["mp3", "wav"])
def test_leaving_in_the_middle_of_speech(client: httpx.Client, server: Any, tmp_path: Path, format: str) -> None:
    traces = [tmp_path / f"trace{number}" for number in range(8)]
    for trace in traces:
        body = {"model": "scripted", "input": f"steps=2000 work=0.01 trace={trace}", "response_format": format}
        with server.client() as leaving, leaving.stream("POST", "/v1/audio/speech", json=body) as response:
            next(response.iter_raw())
    assert idle(client)
    for trace in traces:
        notes = trace.read_text()
        assert "close" in notes and notes.count("step") < 1000


def test_a_reader_that_stops_costs_no_memory(client: httpx.Client, server: Any) -> None:
    body = b'{"model": "scripted", "input": "steps=4000 bytes=48000", "response_format": "wav"}'
    head = (
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    before = memory(server)
    with connected(server) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(head % len(body) + body)
        time.sleep(2)
        assert memory(server) - before < 40 * MB
        assert hear(client, WAV).status_code == 200
    assert idle(client)


def test_text_in_place_of_a_file(client: httpx.Client) -> None:
    for value in ("audio.wav", "", "AAAA", "data:audio/wav;base64,AAAA"):
        answer = client.post(HEAR, data={"model": "scripted-asr", "file": value}, files={"x": (None, "y")})
        assert answer.status_code in (400, 415) and answer.json()["error"]["message"]


def test_names_that_climb(client: httpx.Client) -> None:
    for path in ("/web/../openapi.py", "/web/%2e%2e/%2e%2e/app.py", "/web//etc/passwd", "/v1/models/../../etc/passwd"):
        answer = client.get(path)
        assert answer.status_code in (404, 405) and "import" not in answer.text
    assert hear(client, WAV, "../../../etc/passwd").status_code == 200


def test_big_fields_are_refused(client: httpx.Client) -> None:
    field = io.BytesIO(b"x" * (5 * MB))
    answer = client.post(HEAR, files={"prompt": (None, field.read()), "file": ("a.wav", WAV)})
    assert answer.status_code == 400 and "multipart" in answer.json()["error"]["message"]
    many = [("x", (None, "y"))] * 2000
    assert client.post(HEAR, files=many).status_code == 400


@pytest.mark.parametrize(
    ("path", "kind", "piece"),
    [
        ("/transcribe", "application/json", b"[],"),
        ("/transcribe", "application/json", b'{"a":1},'),
        ("/respond", "application/x-www-form-urlencoded", b"a=1&"),
    ],
)
def test_a_body_of_nothing_but_structure(client: httpx.Client, server: Any, path: str, kind: str, piece: bytes) -> None:
    """It took 20 to 30 times its size in memory, and /health had to wait for seconds."""
    hear(client, WAV)
    before, peak, slowest = memory(server), 0, 0.0
    body = b'{"a":[' + piece * (30 * MB // len(piece)) if "json" in kind else piece * (24 * MB // len(piece))
    with ThreadPoolExecutor() as pool, server.client() as another:
        sending = pool.submit(another.post, path, content=body, headers={"Content-Type": kind})
        while not sending.done():
            began = time.monotonic()
            assert client.get("/health").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            peak = max(peak, memory(server))
        answer = sending.result()
    assert answer.status_code == (400 if "json" in kind else 413) and "limit" in answer.text
    assert peak - before < 150 * MB and slowest < 1
