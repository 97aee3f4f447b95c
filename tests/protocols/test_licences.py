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
from urllib.parse import urlsplit

import openai
import pexpect
import pytest
import websockets
from protocols.conftest import COMMAND, TESTS, Server, serve
from support.live_wires import WhisperLive, open_wire
from support.openai_audio import WAV
from support.pty import start
from support.scripted_conversation import LIVE_MODELS, tone
from websockets.http11 import Response
from wyoming.asr import Transcribe
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.tts import Synthesize, SynthesizeStart, SynthesizeVoice
from xinference_client import RESTfulClient

SAYS = "the licence of "
WAYS = (
    "was not accepted on this machine: CC-BY-NC-4.0: no commercial use",
    "`audio-server pull ",
    "--accept-licence CC-BY-NC-4.0`",
)


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
    with serve(home / "server", "--wyoming", "0", scripted=True, **own) as server:
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


FORM: dict[str, Any] = {"files": {"file": ("a.wav", WAV)}, "data": {"model": "scripted-asr"}}
DEFERRABLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/audio/transcriptions", FORM),
    ("/v1/audio/translations", FORM),
    ("/inference", FORM),
    ("/transcribe", FORM),
    ("/transcribe?model=scripted-asr", {"content": WAV, "headers": {"Content-Type": "audio/wav"}}),
    ("/asr?model=scripted-asr", {"files": {"audio_file": ("a.wav", WAV)}}),
    ("/v1/listen?model=scripted-asr", {"content": WAV}),
)


@pytest.mark.parametrize(("path", "sent"), DEFERRABLE)
def test_background_jobs_are_refused_at_once_in_the_words_of_each_route(
    server: Server, path: str, sent: dict[str, Any]
) -> None:
    preferring = {**sent, "headers": {**sent.get("headers", {}), "Prefer": "respond-async"}}
    with server.client() as client:
        now, preferred = client.post(path, **sent), client.post(path, **preferring)
        asked = client.post(f"{path}{'&' if '?' in path else '?'}background=true", **sent)
        assert now.status_code == preferred.status_code == asked.status_code == 403, (preferred.text, asked.text)
        bodies = [{**answer.json(), "request_id": ""} for answer in (now, preferred, asked)]
        assert bodies[0] == bodies[1] == bodies[2] and all(way in now.text for way in (SAYS, *WAYS))
        assert client.get("/v1/jobs").json()["data"] == []


def test_a_callback_s_job_is_refused_at_once(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/listen?model=scripted-asr&callback=http://127.0.0.1:9/", content=WAV)
    is_refused(answer.status_code, answer.json()["err_msg"])


def test_background_jobs_of_other_models_are_taken(server: Server) -> None:
    with server.client() as client:
        for name in ("talking-asr", "whisper-1", "nobody", ""):
            form = {"model": name, "background": "true"}
            answer = client.post("/v1/audio/transcriptions", data=form, files={"file": ("a.wav", WAV)})
            assert answer.status_code == 202, answer.text
            client.delete(f"/v1/jobs/{answer.json()['id']}")


def test_the_other_routes(server: Server) -> None:
    sound = {"file": ("a.wav", WAV)}
    with server.client() as client:
        for path, files, data in (
            ("/v1/audio/translations", sound, {"model": "scripted-asr"}),
            ("/inference", sound, {"model": "scripted-asr"}),
            ("/transcribe", sound, {"model": "scripted-asr"}),
            ("/asr?model=scripted-asr", {"audio_file": ("a.wav", WAV)}, {}),
            ("/speak", None, {"model": "scripted", "text": "steps=1"}),
            ("/v1/speak?model=scripted", None, {"text": "steps=1"}),
            ("/respond?model=talking-duplex", sound, {}),
        ):
            answer = client.post(path, files=files, data=data) if files else client.post(path, json=data)
            assert answer.status_code == 403, (path, answer.text)
            assert all(way in answer.json().get("detail", answer.text) for way in (SAYS, *WAYS)), (path, answer.text)


async def test_wyoming(server: Server) -> None:
    address = server.wyoming
    for name, event in (("scripted-asr", Transcribe), ("scripted", Synthesize)):
        async with asyncio.timeout(20), AsyncClient.from_uri(address) as client:
            if event is Transcribe:
                await client.write_event(Transcribe(name=name).event())
                await client.write_event(AudioStart(16000, 2, 1).event())
                await client.write_event(AudioChunk(16000, 2, 1, tone(0.6)).event())
                await client.write_event(AudioStop().event())
            else:
                await client.write_event(Synthesize("steps=1", SynthesizeVoice(name)).event())
            while (told := await client.read_event()) is not None and not Error.is_type(told.type):
                pass
            assert told is not None and all(way in Error.from_event(told).text for way in (SAYS, *WAYS))


async def refused_handshake(server: Server, path: str, **more: Any) -> Response:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with asyncio.timeout(20), websockets.connect(f"ws://{urlsplit(server.url).netloc}{path}", **more):
            pass
    return refused.value.response


@pytest.mark.parametrize(
    "path",
    [
        "/v1/listen?encoding=linear16&sample_rate=16000&model=scripted-asr",
        "/v2/listen?encoding=linear16&sample_rate=16000&model=scripted-asr",
        "/v1/speak?model=scripted",
        "/v1/realtime?model=talking-duplex",
        "/v1/realtime?model=scripted-llm",
        "/v1/realtime?intent=transcription&model=scripted-asr",
    ],
)
async def test_sockets_are_refused_before_the_handshake(server: Server, path: str) -> None:
    response = await refused_handshake(server, path)
    told = json.loads(response.body)
    message = told["error"]["message"] if "realtime" in path else told["err_msg"]
    is_refused(response.status_code, message)
    if "realtime" in path:
        assert (told["error"]["code"], told["error"]["param"]) == ("licence_not_accepted", "model")
    else:
        assert told["err_code"] == "FORBIDDEN" and SAYS in response.headers["dg-error"]


async def test_a_client_secret_s_models_count_too(server: Server) -> None:
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "scripted-asr"}}}}
    with server.client() as client:
        secret = client.post("/v1/realtime/client_secrets", json={"session": session}).json()["value"]
    headers = {"Authorization": f"Bearer {secret}"}
    response = await refused_handshake(server, "/v1/realtime", additional_headers=headers)
    is_refused(response.status_code, json.loads(response.body)["error"]["message"])


async def test_wyoming_s_streamed_text_is_refused_before_it_is_written(server: Server) -> None:
    async with asyncio.timeout(20), AsyncClient.from_uri(server.wyoming) as client:
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="scripted")).event())
        told = await client.read_event()
    assert told is not None and all(way in Error.from_event(told).text for way in (SAYS, *WAYS))


async def test_whisperlive(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name comes after the handshake, and is refused before there is sound."""
    monkeypatch.setattr(WhisperLive, "hello", {**WhisperLive.hello, "model": "scripted-asr"})
    async with open_wire("whisperlive", server.url) as client, asyncio.timeout(20):
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
