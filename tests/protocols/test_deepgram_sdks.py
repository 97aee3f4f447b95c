"""Deepgram's SDKs, unchanged, against the server: each of three Python versions and JavaScript in a process of its own.

The versions 4 and 5 have their own environments, made once from locks. JavaScript wants Node and npm.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from protocols.conftest import serve
from support.scripted_conversation import LIVE_MODELS, tone, words

from speechmlx.audio.encode import wav_header

if TYPE_CHECKING:
    from protocols.conftest import Server

HERE = Path(__file__).parent
CLIENTS, NODE = HERE / "deepgram_clients", HERE / "node_deepgram"
RATE = 16000
SPEECH = tone(0.5, rate=RATE) + tone(0.3, 0.0, RATE)
WAV = wav_header(RATE, len(SPEECH) // 2) + SPEECH
LIVE = tone(0.5, rate=RATE) + tone(1.5, 0.0, RATE)
SPOKEN = 0.3
"""Seconds of "one two three"."""


class Site(BaseHTTPRequestHandler):
    """Has the recording, and notes the results that are sent to it."""

    came: ClassVar[list[dict[str, Any]]] = []

    def log_message(self, format: str, *values: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(WAV)

    def do_POST(self) -> None:
        self.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{site.server_address[1]}/a.wav"
        site.shutdown()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that fetches from this machine too."""
    folder, catalog = tmp_path_factory.mktemp("fetching"), "support.any_address:extend"
    with serve(folder, "--allow-url-fetch", SPEECHMLX_CATALOG=catalog, SPEECHMLX_MODELS=LIVE_MODELS) as server:
        yield server


@pytest.fixture
def run(fetching: Server, site: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a client's script and returns what it found."""
    (tmp_path / "speech.wav").write_bytes(WAV)
    (tmp_path / "live.raw").write_bytes(LIVE)

    def run(*command: str | Path, folder: Path = HERE) -> dict[str, Any]:
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        environment.pop("PYTHONPATH", None)
        ran = subprocess.run(
            [*command, fetching.url, tmp_path, site],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=80,
        )
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{fetching.log.read_text()[-2000:]}"
        found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return found

    return run


def python_of(version: str) -> Path:
    """The Python of the environment that has this version of deepgram-sdk."""
    made = subprocess.run([CLIENTS / "install", version], capture_output=True, text=True, timeout=100)
    if made.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"deepgram-sdk {version} could not be installed: {made.stderr.strip()[-300:]}")
    return HERE.parents[1] / f".venv/clients/deepgram-{version}/bin/python"


def check_listening(found: dict[str, Any]) -> None:
    assert found["live"] == words(0.5)
    assert {"Metadata", "Results", "SpeechStarted", "UtteranceEnd"} == set(found["seen"])
    assert found["file"] == found["url"] == found["utterance"] == words(0.5)


def check_speech(found: dict[str, Any]) -> None:
    assert found["spoken"] == pytest.approx(2 * RATE * SPOKEN, rel=0.02)
    assert found["spoken_live"] == pytest.approx(2 * RATE * SPOKEN, rel=0.02)
    assert found["told"] == ["Metadata", "Flushed", "Cleared"]


def check_flux(found: dict[str, Any]) -> None:
    assert (found["flux"], found["flux_first"]) == (words(0.5), "Connected")


def test_python_4(run: Callable[..., dict[str, Any]]) -> None:
    found = run(python_of("4.8.1"), CLIENTS / "sdk4.py")
    check_listening(found)
    assert (found["words"], found["paragraph"]) == (5, words(0.5))
    assert (found["model"], found["characters"]) == ("aura-2-thalia-en", 13)
    assert found["spoken"] == pytest.approx(44 + 2 * 24000 * SPOKEN, rel=0.02)
    assert found["spoken_live"] == pytest.approx(2 * RATE * SPOKEN, rel=0.02) and found["opened"] == 1
    assert [one["metadata"]["request_id"] for one in Site.came] == [found["callback"]]


def test_python_5(run: Callable[..., dict[str, Any]]) -> None:
    found = run(python_of("5.3.4"), CLIENTS / "sdk5.py")
    check_listening(found)
    check_speech(found)
    check_flux(found)
    assert found["finalized"] and found["error"] == [400, "Bad Request", True]


def test_python_7(run: Callable[..., dict[str, Any]]) -> None:
    found = run(sys.executable, CLIENTS / "sdk7.py")
    check_listening(found)
    check_speech(found)
    check_flux(found)
    assert found["finalized"] and found["error"] == [400, "Bad Request", True]


def test_javascript_5(run: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("the JavaScript client wants Node and npm, which are not here")
    folder = tmp_path_factory.mktemp("node_deepgram")
    for file in NODE.glob("*.*"):
        shutil.copy(file, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    if installed.returncode:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"npm could not install the JavaScript client: {installed.stderr.strip()[-300:]}")
    found = run("node", "sdk.mjs", folder=folder)
    check_listening(found)
    check_speech(found)
    check_flux(found)
    assert found["error"] == [400, "Bad Request", True]


# --- pipecat -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_pipecats_speech_service(conversing: Server) -> None:
    from pipecat.frames.frames import InterruptionFrame, TTSAudioRawFrame, TTSSpeakFrame, TTSStoppedFrame
    from pipecat.services.deepgram.tts import DeepgramTTSService
    from protocols.test_realtime_pipecat import pipeline, until

    def seconds(came: list[Any]) -> float:
        return sum(len(frame.audio) for frame in came if isinstance(frame, TTSAudioRawFrame)) / 2 / 24000

    def stops(came: list[Any]) -> int:
        return sum(isinstance(frame, TTSStoppedFrame) for frame in came)

    with conversing.client() as client:  # pipecat gives up after three seconds
        assert client.post("/v1/speak", json={"text": "Warm."}).status_code == 200
    service = DeepgramTTSService(api_key="unused", base_url=conversing.url.replace("http", "ws"))
    async with pipeline(service) as (task, came):
        await task.queue_frame(TTSSpeakFrame("One two three. Four five."))
        await until(came, lambda came: stops(came) == 1)
        assert seconds(came) == pytest.approx(0.5, abs=0.02)
        await task.queue_frame(TTSSpeakFrame("Never heard to its end. " * 40))
        await until(came, lambda came: seconds(came) > 0.8)
        await task.queue_frame(InterruptionFrame())
        await asyncio.sleep(0.3)
        before = seconds(came)
        assert before < 10
        await task.queue_frame(TTSSpeakFrame("Six seven."))
        await until(came, lambda came: seconds(came) >= before + 0.19)
        await asyncio.sleep(0.2)
        assert seconds(came) == pytest.approx(before + 0.2, abs=0.02)
