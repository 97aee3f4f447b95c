"""Real server processes for the protocol tests: with scripted engines, the starter models, or a test's flags."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from support import browser, fetched
from support.scripted_conversation import LIVE_MODELS, MODELS

from speechmlx.runtime.worker.blas import MALLOC

if TYPE_CHECKING:
    from xinference_client import RESTfulClient

# Their assertions tell what differs, as those of tests do.
pytest.register_assert_rewrite("support.realtime_book", "support.realtime_order")

COMMAND = Path(sys.executable).with_name("audio-server")
TESTS = Path(__file__).parents[1]
START_LIMIT, STOP_LIMIT = 30.0, 20.0
"""Seconds. The long tests, which run on busy machines, have more."""
AUTHORITIES = ssl.create_default_context()
"""Shared by the clients here: each would read all certificates anew, 20 ms of work, and no server here has one."""


@dataclass(frozen=True)
class Server:
    """A running server: its URL, its process and the file of its output."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def wyoming(self) -> str:
        """The URI of the Wyoming server, of which the banner tells."""
        found = re.search(r"Wyoming on (tcp://\S+)", self.log.read_text())
        assert found is not None
        return found[1]

    def client(self, timeout: float = 120.0) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=False, verify=AUTHORITIES)

    def wait_for_line(self, text: str, seconds: float = 10.0) -> None:
        """Wait for a line of the log, which is written after the answer. AssertionError without it."""
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert time.monotonic() < end, f"{text!r} is not in the log:\n{self.log.read_text()}"
            time.sleep(0.02)

    def health(self) -> dict[str, object]:
        with self.client(5.0) as client:
            found: dict[str, object] = client.get("/health").json()
            return found


Start = Callable[..., AbstractContextManager[Server]]


@contextmanager
def serve(
    folder: Path, *flags: str, scripted: bool = True, program: Sequence[str] = (str(COMMAND),), **environment: str
) -> Iterator[Server]:
    """Run a server until the block ends. `program`: the words before its verb.

    With `scripted` it has scripted.py's rows, its own cache in `folder` with their weights, no limit of time without
    audio, and keeps a session whose connection broke for a second.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if scripted:
        fetched.fill(folder / "cache")
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    own = {"SPEECHMLX_CATALOG": "support.scripted:extend", "PYTHONPATH": path, "SPEECHMLX_CACHE": str(folder / "cache")}
    own["SPEECHMLX_AUDIO_TIMEOUT"] = "0"
    own["SPEECHMLX_RESUME_WINDOW"] = "1"
    own["SPEECHMLX_JOB_FOLDER"] = str(folder / "jobs")
    own["SPEECHMLX_VOICE_FOLDER"] = str(folder / "voices")
    own["SPEECHMLX_KEY_FILE"] = str(folder / "keys.json")
    # The tests may run in the engine's environment, where freed memory is kept; a server's front does not.
    inherited = {name: value for name, value in os.environ.items() if name not in MALLOC}
    # The same request gives the same samples only with the same number of threads.
    inherited.setdefault("OPENBLAS_NUM_THREADS", str(os.cpu_count()))
    inherited.setdefault("SPEECHMLX_LOG_FORMAT", "text")
    # Licences that forbid some uses are the matter of test_licences.py.
    inherited.setdefault("SPEECHMLX_ACCEPT_LICENCE", "CC-BY-NC-4.0,CC-BY-NC-SA-4.0")
    settings = {**inherited, **(own if scripted else {}), **environment}
    log = folder / "server.log"
    with log.open("wb") as out:
        command = [*program, "serve", "--port", "0", "--profile", "starter", *flags]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=settings, cwd=folder
        )
    try:
        yield Server(_address(process, log), process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The server's URL, once its engine process is ready; AssertionError after START_LIMIT seconds."""
    end = time.monotonic() + START_LIMIT
    with httpx.Client(trust_env=False, verify=False) as client:
        while time.monotonic() < end and process.poll() is None:
            if found := re.search(r"Starting server on (https?://\S+)", log.read_text()):
                try:
                    if client.get(found[1] + "/health").json()["engine"] == "ok":
                        return found[1]
                except httpx.TransportError:
                    pass
            time.sleep(0.02)
    raise AssertionError(f"the server did not come up:\n{log.read_text()}")


@pytest.fixture
def start_server(tmp_path: Path) -> Start:
    """`with start_server("--flag", ..., scripted=True) as server:` for a test that needs its own server."""
    return partial(serve, tmp_path / "server")


@pytest.fixture(scope="session")
def all_scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shared server whose default models are scripted: for random requests."""
    flags = (
        "--asr",
        "scripted-asr",
        "--tts",
        "scripted",
        "--enhance",
        "scripted-enhance",
        "--llm",
        "scripted-llm",
        "--diarize",
        "scripted-diarizer",
    )
    with serve(tmp_path_factory.mktemp("all-scripted"), *flags) as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server with scripted engines. Tests must not kill or fill it."""
    with serve(tmp_path_factory.mktemp("scripted"), "--diarize", "scripted-diarizer") as server:
        yield server


@pytest.fixture(scope="session")
def conversing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server with the engines of support/scripted_conversation.py as its default models."""
    with serve(tmp_path_factory.mktemp("conversing"), SPEECHMLX_MODELS=MODELS) as server:
        yield server


@pytest.fixture(scope="session")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server of the live wires: scripted engines, words come while the tone lasts (LIVE_MODELS).

    A session whose connection broke is kept for 5 s.
    """
    folder = tmp_path_factory.mktemp("listening")
    with serve(folder, "--wyoming", "0", SPEECHMLX_MODELS=LIVE_MODELS, SPEECHMLX_RESUME_WINDOW="5") as server:
        yield server


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory, model_folder: Callable[[str], Path]) -> Iterator[Server]:
    """The shared server with the starter models, all fetched; recognition by the smallest one."""
    for name in ("whisper-tiny.en", "kokoro-82m", "deepfilternet3", "smollm2-135m-instruct", "ecapa-diarizer"):
        model_folder(name)
    flags = ("--asr", "whisper-tiny.en", "--wyoming", "0")
    with serve(tmp_path_factory.mktemp("starter"), *flags, scripted=False) as server:
        yield server


@pytest.fixture(scope="session")
def chromium(clip: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Tab]:
    """A tab of a headless browser, whose microphone plays the clip jfk in a loop."""
    program = browser.find()
    if program is None:
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say(f"pages want a browser, and none of {', '.join(browser.NAMES)} is here")
    with browser.tab(program, tmp_path_factory.mktemp("browser"), clip("jfk")) as tab:
        yield tab


@pytest.fixture(scope="module")
def scripted_cascade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose ASR, LLM and TTS engines follow a script: support/scripted_cascade.py."""
    flags = ("--asr", "hearing", "--llm", "writing", "--tts", "scripted")
    catalog = "support.scripted_cascade:extend"
    with serve(tmp_path_factory.mktemp("scripted-cascade"), *flags, SPEECHMLX_CATALOG=catalog) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def xinference(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[RESTfulClient]:
    """Xinference's own client of the server."""
    from xinference_client import RESTfulClient

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with closing(RESTfulClient(server.url)) as client:
        yield client


def openai_client(url: str, timeout: float) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(verify=AUTHORITIES)
    return openai.OpenAI(api_key="any", base_url=url, max_retries=0, timeout=timeout, http_client=http)


@pytest.fixture
def talk(starter: Server) -> Iterator[openai.OpenAI]:
    with openai_client(f"{starter.url}/v1", timeout=300) as client:
        yield client


@pytest.fixture
def scripted(server: Server) -> Iterator[openai.OpenAI]:
    with openai_client(f"{server.url}/v1", timeout=60) as client:
        yield client
