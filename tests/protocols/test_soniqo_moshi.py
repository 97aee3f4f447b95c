"""A model that hears and speaks, with small random weights, behind /respond."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from protocols.conftest import TESTS, Server, serve
from support.openai_audio import WAV

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

MAKE = "import sys; from pathlib import Path; from support import tiny_moshi; tiny_moshi.folder(Path(sys.argv[1]), 16)"


def made_folder(home: Path) -> str:
    """The folder of the model, made in `home` by another process: this one imports no MLX."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    subprocess.run([sys.executable, "-c", MAKE, str(home)], env=environment, check=True, timeout=100)
    return str(home / "folder")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("moshi")
    catalog = "support.moshi_row:extend"
    with serve(home / "server", SPEECHMLX_CATALOG=catalog, TINY_MOSHI=made_folder(home)) as server:
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
    assert answer.status_code == 400 and says in answer.json()["error"]


def test_it_speaks_with_a_stored_voice(server: Server) -> None:
    stored = {"name": "Ann", "consent": "I agree that this voice is imitated."}
    sound = 0.1 * np.random.default_rng(1).standard_normal(2 * 16000)
    recording = wav_header(16000, len(sound)) + to_pcm16(sound.astype(np.float32))
    with server.client() as client:
        made = client.post("/v1/audio/voices", data=stored, files={"audio_sample": ("ann.wav", recording)})
        assert made.status_code == 200, made.text
        asked = [{"model": "tiny-s2s", "voice": name, "max_steps": "12"} for name in ("Ann", "natf0", "nobody")]
        answers = [client.post("/respond", params=options, content=WAV) for options in asked]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[0].content != answers[1].content and "natf0" in answers[2].json()["error"]
