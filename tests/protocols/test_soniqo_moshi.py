"""A model that hears and speaks, with small random weights, behind /respond."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from protocols.conftest import TESTS, Server, serve
from support.openai_audio import WAV

MAKE = "import sys; from pathlib import Path; from support import tiny_moshi; tiny_moshi.folder(Path(sys.argv[1]), 16)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("moshi")
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    subprocess.run([sys.executable, "-c", MAKE, str(home)], env=environment, check=True, timeout=100)
    catalog = "support.moshi_row:extend"
    with serve(home / "server", SPEECHMLX_CATALOG=catalog, TINY_MOSHI=str(home / "folder")) as server:
        yield server


def test_respond_gives_its_sound_and_its_text(server: Server) -> None:
    with server.client() as client:
        options = {"model": "tiny-s2s", "voice": "NATF0", "max_steps": "6"}
        answer = client.post("/respond", params=options, content=WAV)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-response-text"] and answer.headers["content-type"] == "audio/wav"
        found = client.post("/respond", params={**options, "format": "json"}, content=WAV).json()
    assert found["model"] == "tiny-s2s" and found["duration"] >= 6 * 0.08


@pytest.mark.parametrize(
    ("options", "says"), [({"voice": "nobody"}, "the voices are natf0"), ({"language": "de"}, "cannot speak 'de'")]
)
def test_what_it_cannot_do_is_told(server: Server, options: dict[str, str], says: str) -> None:
    with server.client() as client:
        answer: httpx.Response = client.post("/respond", params={"model": "tiny-s2s", **options}, content=WAV)
    assert answer.status_code in (400, 404) and says in answer.json()["error"]
