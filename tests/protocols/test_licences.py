"""A model whose licence forbids some uses: each wire says so until the owner has accepted it, and serves afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openai
import pexpect
import pytest
from protocols.conftest import COMMAND, TESTS, Server, serve
from support.live_wires import Deepgram, WhisperLive, open_wire
from support.openai_audio import WAV
from support.pty import start
from support.scripted_conversation import LIVE_MODELS, tone
from xinference_client import RESTfulClient

SAYS = "the licence of scripted"
WAYS = ("CC-BY-NC-4.0: no commercial use", "`audio-server pull scripted", "--accept-licence CC-BY-NC-4.0`")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("licences")


def person(home: Path) -> dict[str, str]:
    """Variables of a person who has accepted nothing."""
    own = {"SPEECHMLX_CATALOG": "support.licensed:extend", "SPEECHMLX_ACCEPT_LICENCE": "", "PYTHONPATH": str(TESTS)}
    return {**own, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "SPEECHMLX_CACHE": str(home / "cache")}


def kept(home: Path) -> Path:
    """The file that says that the licence is accepted, where the settings are on Linux or on a Mac."""
    settings = home / ("Library/Application Support" if os.uname().sysname == "Darwin" else "config")
    return settings / "speechmlx/licences/cc-by-nc-4.0"


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A verb of this person's, without a terminal."""
    environment = {"PATH": os.environ["PATH"], **person(home)}
    return subprocess.run([str(COMMAND), *arguments], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """The weights are in its cache already."""
    own = {**person(home), "SPEECHMLX_MODELS": LIVE_MODELS.replace(",enhance=scripted-enhance", "")}
    own["SPEECHMLX_CACHE"] = str(home / "server/cache")
    with serve(home / "server", scripted=True, **own) as server:
        yield server


def is_refused(status: int, message: Any) -> None:
    assert status == 403
    assert SAYS in message and all(way in message for way in WAYS)


def test_openai_s_routes(server: Server) -> None:
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.PermissionDeniedError) as speech:
            client.audio.speech.create(model="scripted", voice="alloy", input="steps=1")
        with pytest.raises(openai.PermissionDeniedError) as heard:
            client.audio.transcriptions.create(model="scripted-asr", file=("a.wav", WAV))
    for error in (speech.value, heard.value):
        assert (error.code, error.param) == ("licence_not_accepted", "model")
        is_refused(error.status_code, error.message)


def test_soniqo_s_and_deepgram_s_routes(server: Server) -> None:
    sound: dict[str, Any] = {"content": WAV, "headers": {"Content-Type": "audio/wav"}}
    with server.client() as client:
        for path in ("/transcribe?model=scripted-asr", "/enhance?model=scripted-enhance"):
            answer = client.post(path, **sound)
            is_refused(answer.status_code, answer.json()["error"])
        answer = client.post("/v1/listen?model=scripted-asr", **sound)
        is_refused(answer.status_code, answer.json()["err_msg"])
        assert answer.json()["err_code"] == "FORBIDDEN"


def test_launching_and_pulling(server: Server) -> None:
    with closing(RESTfulClient(server.url)) as client, pytest.raises(RuntimeError, match=SAYS):
        client.launch_model(model_name="scripted", model_type="audio")
    with server.client() as client:
        answer = client.post("/v1/models/scripted/pull")
        is_refused(answer.status_code, answer.json()["error"]["message"])
        assert client.get("/v1/models/scripted").json()["licence_accepted"] is False
        rows = {row["id"]: row["licence_accepted"] for row in client.get("/v1/models").json()["data"]}
        assert rows["kokoro-82m"] and not rows["scripted"] and not rows["f5-tts"]
        assert "scripted" not in {model["name"] for model in client.get("/health").json()["models"]}


def test_a_background_job(server: Server) -> None:
    with server.client() as client:
        form = {"model": "scripted-asr", "background": "true"}
        id = client.post("/v1/audio/transcriptions", data=form, files={"file": ("a.wav", WAV)}).json()["id"]
        answer = client.get(f"/v1/jobs/{id}/result", params={"wait": 20})
        while answer.status_code == 409:
            answer = client.get(f"/v1/jobs/{id}/result", params={"wait": 20})
    is_refused(answer.status_code, answer.json()["error"]["message"])


@pytest.mark.parametrize("wire", ["deepgram", "whisperlive"])
async def test_live_wires(server: Server, wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deepgram, "path", f"{Deepgram.path}&model=scripted-asr")
    monkeypatch.setattr(WhisperLive, "hello", {**WhisperLive.hello, "model": "scripted-asr"})
    async with open_wire(wire, server.url) as client, asyncio.timeout(20):
        await client.send(tone(0.6) + tone(1.5, level=0))
        while not client.failures:
            await asyncio.sleep(0.02)
        told = client.failures[0]
    assert SAYS in told and all(way in told for way in WAYS)


def test_a_default_model_does_not_start(home: Path) -> None:
    ended = run(home, "--port", "0", "--tts", "scripted")
    assert ended.returncode == 2 and SAYS in ended.stderr and all(way in ended.stderr for way in WAYS)


def test_pull_without_a_terminal(tmp_path: Path) -> None:
    refused = run(tmp_path, "pull", "scripted", "scripted-asr", "--json")
    assert refused.returncode == 1 and all(SAYS in result["error"] for result in json.loads(refused.stdout))
    assert not (tmp_path / "cache/models").exists()
    assert run(tmp_path, "pull", "scripted", "--accept-licence", "cc-by-nc-4.0").returncode == 0
    told = run(tmp_path, "models", "scripted", "f5-tts").stdout
    assert "not accepted" not in told and told.count("CC-BY-NC-4.0: no commercial use") == 2
    kept(tmp_path).unlink()
    (shown,) = json.loads(run(tmp_path, "models", "scripted", "--json").stdout)
    assert shown["here"] and shown["licence_accepted"] is False
    assert "not accepted here: `audio-server pull scripted` asks" in " ".join(
        run(tmp_path, "models", "scripted").stdout.split()
    )
    failed = run(tmp_path, "speak", "steps=1", "--model", "scripted", "-o", str(tmp_path / "a.wav"))
    assert failed.returncode and SAYS in failed.stderr


def test_pull_asks_and_the_running_server_knows(home: Path, server: Server) -> None:
    """Last: what is accepted here stays accepted."""
    for answer, status in (("n", 1), ("y", 0)):
        child = start("pull", "scripted", "scripted-asr", columns=400, env=person(home))
        child.expect(r"scripted has the licence CC-BY-NC-4\.0: no commercial use\. Accept it on this machine\? \[y/N\]")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status, child.before
        assert kept(home).is_file() is (answer == "y")
    assert (home / "cache/models/scripted").is_dir()
    with server.client() as client:
        body = {"model": "scripted", "input": "steps=1", "response_format": "pcm"}
        assert client.post("/v1/audio/speech", json=body).status_code == 200
        assert client.get("/v1/models/scripted").json()["licence_accepted"] is True
