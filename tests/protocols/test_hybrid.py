"""The WhisperLive hybrid's HTTP side: its lines as they stand, on its port, beside soniqo's bodies on the same path."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from protocols.conftest import serve
from support import fetched, scripted
from support.clips import CLIPS
from support.word_errors import word_error_rate

from speechmlx.app import create_app
from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.protocols.http.url_fetch import UrlFetcher
from speechmlx.runtime.front.runtime import Runtime

TESTS = Path(__file__).parents[1]
WAV = wav_header(16000, 16000) + to_pcm16(np.zeros(16000, np.float32))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def ported(start_server: Any) -> Iterator[tuple[Any, str]]:
    """A server with a port of the hybrid's own, and that port's address."""
    with start_server("--bind", "hybrid=127.0.0.1:0", "--bind", "127.0.0.1:0", "--asr", "scripted-asr") as server:
        found = re.search(r"Also on (http://\S+) for hybrid", server.log.read_text())
        assert found is not None
        yield server, found[1]


def test_health_is_healthy_at_its_port_only(ported: tuple[Any, str]) -> None:
    server, url = ported
    told = requests.get(f"{url}/health").json()
    assert told["status"] == "healthy" and told["service"] == "WhisperLive Hybrid Server"
    assert told["model"] == "scripted-asr" and told["ready"] is True
    assert server.health()["status"] == "ok"
    plain = re.search(r"Also on (http://\S+)$", server.log.read_text(), flags=re.MULTILINE)
    assert plain is not None and requests.get(f"{plain[1]}/health").json()["status"] == "ok"
    assert requests.post(f"{url}/transcribe", files={"file": WAV}).json()["success"] is True


def test_a_form_is_answered_in_its_shape_and_other_bodies_in_soniqos(server: Any) -> None:
    with server.client() as client:
        options = {"model": "scripted-asr", "language": "en"}
        form = client.post("/transcribe", files={"file": ("audio.wav", WAV)}, data=options).json()
        raw = client.post("/transcribe", content=WAV, params=options).json()
        misnamed = client.post("/transcribe", files={"file": ("audio.dat", WAV)}, data=options).json()
    assert misnamed == {**form, "filename": "audio.dat"}
    assert form["success"] is True and form["filename"] == "audio.wav"
    assert form["segments"][0] == {"start": 0.0, "end": 1.0, "text": "part 0.", "no_speech_prob": 0.0}
    assert form["info"] == {
        "language": "en",
        "language_probability": 1.0,
        "duration": 1.0,
        "duration_after_vad": 1.0,
        "transcription_options": {"task": "transcribe", "beam_size": 1},
    }
    assert raw.keys() == {"text", "language", "confidence", "model", "duration"}
    assert {name: form[name] for name in raw} == raw


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        ({"data": {"language": "en"}, "files": {"other": b""}}, 415, "nothing (0 bytes)"),
        ({"files": {"language": (None, "en")}}, 400, "missing 'file'"),
        ({"files": {"file": ("a.wav", b"only words in here")}}, 415, "plain text"),
        ({"files": {"file": ("a", b"only words in here")}}, 415, "plain text"),
        ({"files": {"file": ("a.TXT", b"only words in here")}}, 400, "a .TXT file is not taken"),
        ({"files": {"file": ("a.b.pdf", b"%PDF-1.7")}}, 400, "allowed: wav, mp3, flac, m4a, ogg, webm, mp4"),
        ({"files": {"file": WAV}, "data": {"task": "sing"}}, 400, "'task' must be one of transcribe, translate"),
        ({"files": {"file": WAV}, "data": {"model": "gigantic"}}, 404, "no model 'gigantic'"),
        ({"files": {"file": WAV}, "data": {"model": "scripted"}}, 404, "is a tts model"),
    ],
    ids=str,
)
def test_errors(server: Any, form: dict[str, Any], status: int, says: str) -> None:
    answer = requests.post(f"{server.url}/transcribe", **form)
    assert answer.status_code == status
    told = answer.json()
    assert told.keys() == {"success", "error"} and told["success"] is False and says in told["error"]


def test_too_much_is_refused(start_server: Any) -> None:
    with start_server(SPEECHMLX_MAX_AUDIO_BYTES="100kB") as server:
        answer = requests.post(f"{server.url}/transcribe", files={"file": WAV * 4})
        assert answer.status_code == 413 and "over the limit" in answer.json()["error"]


def test_addresses_are_off_unless_allowed(server: Any) -> None:
    answer = requests.post(f"{server.url}/transcribe/url", json={"url": "http://example.org/a.wav"})
    assert answer.status_code == 501 and "--allow-url-fetch" in answer.json()["error"]


def test_only_public_addresses_are_fetched(start_server: Any) -> None:
    with start_server("--allow-url-fetch") as server:
        for url in (
            f"{server.url}/health",
            "http://localhost/",
            "http://169.254.169.254/",
            "http://[::ffff:127.0.0.1]/",
        ):
            for body in ({"json": {"url": url}}, {"data": {"url": url}}):
                answer = requests.post(f"{server.url}/transcribe/url", **body)  # type: ignore[arg-type]
                assert answer.status_code == 400 and "not public" in answer.json()["error"]
        assert "missing 'url'" in requests.post(f"{server.url}/transcribe/url", json={}).json()["error"]


@pytest.fixture
async def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """A client of an app that counts this machine as public, and the address of a web server here with `tmp_path`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("SPEECHMLX_CATALOG", "support.scripted:extend")
    config = Config(allow_url_fetch=True, profile="starter", models={"asr": "scripted-asr"}, cache=tmp_path / "cache")
    services = build_services(config, Runtime(config, scripted.extend(CATALOG)))
    app = create_app(replace(services, fetches=UrlFetcher(permitted=lambda address: True)))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://a") as one:
            yield one, f"http://127.0.0.1:{site.server_address[1]}"
        site.shutdown()


async def test_what_an_address_holds_takes_the_way_of_an_upload(
    fetching: tuple[httpx.AsyncClient, str], tmp_path: Path
) -> None:
    client, site = fetching
    (tmp_path / "audio.wav").write_bytes(WAV)
    (tmp_path / "words.wav").write_bytes(b"only words in here")
    by_json, by_form = {"url": f"{site}/audio.wav?x=/y"}, {"url": f"{site}/audio.wav", "language": "de"}
    for body, language in (({"json": by_json}, "en"), ({"data": by_form}, "de")):
        answer = await client.post("/transcribe/url", **body)  # type: ignore[arg-type]
        told = answer.json()
        assert answer.status_code == 200 and told["success"] is True, told
        assert told["segments"][0]["text"] == "part 0." and told["info"]["duration"] == 1.0
        assert told["filename"] == "audio.wav" and told["info"]["language"] == language
    for name, status, says in (("words.wav", 415, "the audio is plain text"), ("nothing.wav", 400, "answered 404")):
        answer = await client.post("/transcribe/url", json={"url": f"{site}/{name}"})
        assert answer.status_code == status and says in answer.json()["error"]


def test_the_form_page_is_there(server: Any) -> None:
    answer = requests.get(f"{server.url}/test_form.html")
    assert answer.headers["content-type"].startswith("text/html") and 'action="transcribe"' in answer.text


def test_an_address_that_cannot_be_bound_is_named(start_server: Any, server: Any) -> None:
    port = server.url.rpartition(":")[2]
    wrong = ((port, "Address already in use"), ("somewhere", "is not a valid address"), ("telnet=1", "no protocol"))
    for bind, says in wrong:
        with pytest.raises(AssertionError, match=says), start_server("--bind", bind):
            pass


@pytest.mark.timeout(300)
def test_the_words_of_a_form_on_a_real_model(starter: Any, clip: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "audio.wav").write_bytes(clip("jfk").read_bytes())
    with (tmp_path / "audio.wav").open("rb") as file:
        response = requests.post(
            f"{starter.url}/transcribe", files={"file": file}, data={"language": "en", "model": "tiny.en"}
        )
    assert response.status_code == 200
    segments = response.json()["segments"]
    assert word_error_rate(CLIPS["jfk"].words, " ".join(segment["text"] for segment in segments)) == 0


# --- The seed's examples as they stand, but for the address ------------------------------------------------------

PLACE = "http://localhost:8080"
CURL = (
    f"""curl -X POST {PLACE}/v1/audio/transcriptions \\
-H "Content-Type: multipart/form-data" \\
-F "file=@audio.wav" \\
-F "model=whisper-1" \\
-F "response_format=json"
""",
    f"""curl -X POST {PLACE}/transcribe \\
-F "file=@audio.wav" \\
-F "language=en" \\
-F "task=transcribe" \\
-F "model=base"
""",
    f"""# Basic transcription
curl -X POST {PLACE}/transcribe \\
-F "file=@audio.wav"
""",
    f"""# With parameters
curl -X POST {PLACE}/transcribe \\
-F "file=@audio.wav" \\
-F "language=es" \\
-F "task=translate" \\
-F "model=small"
""",
    f"""curl {PLACE}/health""",
)
PYTHON = f"""
import requests
# Transcribe a file
with open('audio.wav', 'rb') as f:
    response = requests.post('{PLACE}/transcribe',
        files={{'file': f}},
        data={{'language': 'en', 'model': 'base'}})
if response.status_code == 200:
    result = response.json()
    print(f"Transcription: {{result['segments']}}")
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The hybrid's port of a server that has Whisper's names."""
    folder = tmp_path_factory.mktemp("named")
    fetched.fill(folder / "cache", scripted.stand_in)
    flags = ("--bind", "hybrid=127.0.0.1:0")
    with serve(folder, *flags, SPEECHMLX_CATALOG="support.scripted:stand_in") as server:
        found = re.search(r"Also on (http://\S+) for hybrid", server.log.read_text())
        assert found is not None
        yield found[1]


@pytest.mark.parametrize("line", CURL)
def test_the_seeds_curl_lines(named: str, tmp_path: Path, line: str) -> None:
    (tmp_path / "audio.wav").write_bytes(WAV)
    run = subprocess.run(["bash", "-c", line.replace(PLACE, named)], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    if "health" in line:
        assert told.items() >= {"status": "healthy", "service": "WhisperLive Hybrid Server"}.items()
    else:
        assert told["text"] == "part 0. part 1. part 2." and told.get("success", True)


def test_the_seeds_python(named: str, tmp_path: Path) -> None:
    (tmp_path / "audio.wav").write_bytes(WAV)
    command = [sys.executable, "-c", PYTHON.replace(PLACE, named)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout.startswith("Transcription: [{'start': ") and "'text': 'part 2.'" in run.stdout, run.stderr


def test_the_seeds_javascript(named: str, tmp_path: Path) -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("the JavaScript example wants Node and npm, which are not here")
    for file in (TESTS / "protocols/node_http").glob("*.*"):
        shutil.copy(file, tmp_path)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    if installed.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"npm could not install the JavaScript example's packages: {installed.stderr.strip()[-300:]}")
    (tmp_path / "audio.wav").write_bytes(WAV)
    script = (tmp_path / "hybrid.cjs").read_text()
    (tmp_path / "hybrid.cjs").write_text(script.replace(PLACE, named))
    command = ["node", "-r", "./fetch.cjs", "hybrid.cjs"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "success: true" in run.stdout and "text: 'part 2.'" in run.stdout, run.stderr
