"""The pipeline behind /respond with scripted engines: what overlaps, what stops, what a failure becomes."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from support.scripted_cascade import sound

from speechmlx.audio.decode import decode

SPOKEN = 0.1
"""Seconds the synthesiser says per step of 4800 bytes."""


@pytest.fixture(scope="module")
def client(scripted_cascade: object) -> Iterator[httpx.Client]:
    with scripted_cascade.client() as client:  # type: ignore[attr-defined]
        yield client


def question(writing: str, sentence: str) -> bytes:
    return sound(f"{writing} | {sentence}")


def notes(trace: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in trace.read_text().splitlines()] if trace.exists() else []


def times(trace: Path, what: str) -> list[float]:
    return [float(str(note["at"])) for note in notes(trace) if note["what"] == what]


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return met


def test_the_answer_is_every_sentence_in_order(client: httpx.Client) -> None:
    response = client.post("/respond", content=question("steps=3", "This is said steps=2 times."))
    assert response.status_code == 200, response.text
    assert unquote(response.headers["x-response-text"]) == " ".join(["This is said steps=2 times."] * 3)
    assert decode(response.content, 24000).duration == pytest.approx(3 * 2 * SPOKEN)


def test_the_first_sentence_is_spoken_while_the_next_is_written(client: httpx.Client, tmp_path: Path) -> None:
    write, speak = tmp_path / "write", tmp_path / "speak"
    asked = question(f"steps=5 work=0.1 trace={write}", f"A sentence with trace={speak} in it.")
    assert client.post("/respond", content=asked).status_code == 200
    assert times(speak, "open")[0] < times(write, "step 4")[0]
    assert len(times(speak, "open")) == 5


def test_a_stream_starts_before_the_answer_is_written(client: httpx.Client, tmp_path: Path) -> None:
    write = tmp_path / "write"
    asked = question(f"steps=40 work=0.05 trace={write}", "A sentence that is long enough.")
    with client.stream("POST", "/respond?stream=true", content=asked) as response:
        assert response.status_code == 200
        pieces = response.iter_raw()
        next(pieces)
        assert not times(write, "close")
        assert sum(len(piece) for piece in pieces)
    assert times(write, "close")


def test_max_steps_stops_the_writing_and_the_speaking(client: httpx.Client, tmp_path: Path) -> None:
    write, speak = tmp_path / "write", tmp_path / "speak"
    asked = question(f"steps=200 work=0.02 trace={write}", f"A sentence with trace={speak} steps=100 work=0.01 in it.")
    response = client.post("/respond?max_steps=10", content=asked)
    assert decode(response.content, 24000).duration == pytest.approx(0.8)
    assert until(lambda: bool(times(write, "close") and times(speak, "close")))
    assert not times(write, "step 199") and not times(speak, "step 99")


def test_a_client_that_leaves_closes_every_engine_under_way(client: httpx.Client, tmp_path: Path) -> None:
    write, speak = tmp_path / "write", tmp_path / "speak"
    asked = question(f"steps=500 work=0.02 trace={write}", f"A sentence with trace={speak} steps=500 work=0.02 in it.")
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"POST /respond HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(asked) + asked)
        assert until(lambda: bool(times(speak, "step 3")))
    left = time.monotonic()
    assert until(lambda: bool(times(write, "close") and times(speak, "close")))
    assert max(times(write, "close") + times(speak, "close")) - left < 0.5
    assert until(lambda: client.get("/health").json()["jobs"] == 0)


@pytest.mark.parametrize(
    ("writing", "sentence"),
    [
        ("steps=3 fail=0", "Nothing is said."),
        ("steps=3 fail=1", "One sentence is said."),
        ("steps=1", "This has fail=0 in it."),
    ],
)
def test_a_failure_of_any_model_is_the_answers(client: httpx.Client, writing: str, sentence: str) -> None:
    response = client.post("/respond", content=question(writing, sentence))
    assert response.status_code == 500 and "scripted to fail" in response.json()["error"]
    assert until(lambda: client.get("/health").json()["jobs"] == 0)


def test_an_answer_without_words_is_a_failure(client: httpx.Client) -> None:
    response = client.post("/respond", content=question("steps=0", "x"))
    assert response.status_code == 500 and response.json() == {"error": "the language model gave no answer"}
