"""A model of the settings of which nothing is known, since the hub does not answer at the start: the rest is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from protocols.conftest import Server, serve
from wyoming.client import AsyncClient
from wyoming.event import Event

NAME = "somebody/a-voice"


@pytest.fixture(scope="module")
def without_voice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("without-voice")
    flags = ("--tts", NAME, "--asr", "scripted-asr", "--preload", "--wyoming", "0")
    with serve(folder, *flags, HF_ENDPOINT="http://127.0.0.1:9") as server:
        yield server


@pytest.mark.parametrize("model", [{}, {"model": NAME}, {"model": "somebody--a-voice"}])
def test_its_requests_are_told_why(without_voice: Server, model: dict[str, str]) -> None:
    with without_voice.client() as client:
        answer = client.post("/speak", json={"text": "Hello.", **model})
    assert answer.status_code == 502
    told = "it is not known yet what somebody--a-voice is: http://127.0.0.1:9 cannot be asked for somebody/a-voice"
    assert told in answer.json()["error"]


def test_the_log_and_health_say_so_and_the_rest_is_served(without_voice: Server, tmp_path: Path) -> None:
    without_voice.wait_for_line("WARNING requests for somebody--a-voice fail until it is known what it is: http")
    assert "Traceback" not in without_voice.log.read_text()
    assert "cannot be asked" in str(without_voice.health()["absent"]["somebody--a-voice"])  # type: ignore[index]
    with without_voice.client() as client:
        answer = client.post("/speak", json={"text": "steps=1", "model": "scripted"})
        assert answer.status_code == 200, answer.text
        listed = client.get("/v1/models").json()["data"]
        assert "somebody--a-voice" not in {row["id"] for row in listed}
        for path in ("/", "/docs", "/metrics", "/v1/audio/voices", "/v1/models/scripted", "/v1/voices"):
            assert client.get(path).status_code < 500, path


async def test_home_assistant_sees_the_others(without_voice: Server) -> None:
    async with AsyncClient.from_uri(without_voice.wyoming) as client:
        await client.write_event(Event("describe"))
        info = await client.read_event()
    assert info is not None and info.type == "info" and info.data["asr"]
