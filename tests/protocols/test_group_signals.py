"""Signals that reach every process of the server at once, as systemd, `timeout` and Ctrl-C send them: it drains."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def send_to_all(server: Server, number: signal.Signals) -> list[psutil.Process]:
    """The children first: one that is not to end has had the signal before the front does anything."""
    front = psutil.Process(server.process.pid)
    children = front.children(recursive=True)
    for process in [*children, front]:
        process.send_signal(number)
    return children


@contextmanager
def held(start_server: Start, hold: Path) -> Iterator[Server]:
    """A server at which scripted-held is being fetched until `hold` is deleted."""
    hold.touch()
    with start_server(SCRIPTED_HOLD=str(hold)) as server:
        try:
            yield server
        finally:
            hold.unlink(missing_ok=True)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_stream_under_way_is_finished(start_server: Start, number: signal.Signals) -> None:
    with start_server() as server, server.client() as client:
        body = {"text": "steps=40 work=0.02", "model": "scripted"}
        with client.stream("POST", "/speak?stream=true", json=body) as response:
            parts = response.iter_bytes()
            size = len(next(parts))
            children = send_to_all(server, number)
            assert size + sum(map(len, parts)) == 44 + 40 * 4800
        assert server.process.wait(20) == 0
        assert not any(child.is_running() for child in children)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_whose_model_is_being_fetched_is_told_at_once(
    start_server: Start, tmp_path: Path, number: signal.Signals
) -> None:
    with held(start_server, tmp_path / "hold") as server, server.client() as client:
        answers: list[httpx.Response] = []
        body = {"text": "steps=1", "model": "scripted-held"}
        asking = threading.Thread(target=lambda: answers.append(client.post("/speak", json=body)))
        asking.start()
        while not (tmp_path / "hold.tries").exists():
            asking.join(0.01)
        send_to_all(server, number)
        asking.join(5)
        assert [answer.status_code for answer in answers] == [503]
        assert "Retry-After" in answers[0].headers
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log.read_text()
