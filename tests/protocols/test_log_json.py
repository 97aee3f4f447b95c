"""The log of a running server for programs: a line for each request and session of every wire, in a private file."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from protocols.test_access_keys import key
from protocols.test_live_wires import lived, said
from support.live_wires import open_wire
from support.scripted_conversation import LIVE_MODELS, tone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

if TYPE_CHECKING:
    from protocols.conftest import Server, Start

DOCUMENTED = Path(__file__).parents[2] / "docs/logs.md"
SECRET = "sk-very-secret-key"
SOCKETS = {
    "/v1/realtime": "openai_realtime",
    "/v1/listen": "deepgram",
    "/v2/listen": "deepgram",
    "/asr": "whisperlivekit",
    "/": "whisperlive",
    "/ws/transcribe": "one_shot",
}


@dataclass
class Told:
    """A server, its file of the log, and the key that opens it."""

    server: Server
    file: Path
    key: str

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self.server.url, trust_env=False, headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )

    def lines(self) -> list[dict[str, Any]]:
        whole, _, _ = self.file.read_text().rpartition("\n")  # the last line may be under way
        return [json.loads(line) for line in whole.splitlines()]

    def until(self, **wanted: object) -> dict[str, Any]:
        """The first line with these fields, once it is there."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for line in self.lines():
                if wanted.items() <= line.items():
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no line with {wanted} in:\n{self.file.read_text()}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    from protocols.conftest import serve

    folder = tmp_path_factory.mktemp("told")
    keys, file = folder / "keys.json", folder / "logs/server.log"
    laptop = key(keys, "add", "laptop").strip()
    flags = (
        "--log-file",
        str(file),
        "--log-format",
        "json",
        "--wyoming",
        "0",
        "--tts",
        "scripted",
        "--api-key",
        SECRET,
    )
    with serve(folder, *flags, SPEECHMLX_MODELS=LIVE_MODELS, SPEECHMLX_KEY_FILE=str(keys)) as server:
        yield Told(server, file, laptop)
    secret = [one for one in (SECRET, laptop) if one in file.read_text()]
    assert not secret and file.stat().st_mode & 0o777 == 0o600


def wave(seconds: float) -> bytes:
    data = tone(seconds, rate=16000)
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\1\0\1\0" + (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little") + b"\2\0\x10\0data"
    return head + len(data).to_bytes(4, "little") + data


def drain(socket: Connection, patience: float) -> None:
    """Read until the server closes the socket, or says nothing for `patience` seconds."""
    with suppress(TimeoutError, ConnectionClosed):
        while True:
            socket.recv(timeout=patience)


def test_a_request_is_one_line_with_all_that_is_known(told: Told) -> None:
    with told.client as client:
        heard = client.post(
            f"/v1/audio/transcriptions?token={told.key}",
            data={"model": "scripted-asr"},
            files={"file": wave(1.0)},
            headers={"X-Request-Id": "build-7.tone"},
        )
    assert heard.status_code == 200 and heard.headers["x-request-id"] == "build-7.tone"
    line = told.until(request_id="build-7.tone", event="request")
    assert [one for one in told.lines() if one.get("request_id") == "build-7.tone" and "event" in one] == [line]
    example = re.search(r"^```json\n(.*)", DOCUMENTED.read_text(), flags=re.MULTILINE)
    assert example is not None and list(line) == list(json.loads(example[1]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    for name, most in (("duration_s", 20), ("first_byte_s", 20), ("bytes_in", 34000), ("bytes_out", 10_000)):
        assert 0 < line.pop(name) < most
    assert line == {
        "level": "info",
        "process": "server",
        "logger": "speechmlx.protocols.http.traffic",
        "message": "POST /v1/audio/transcriptions 200",
        "request_id": "build-7.tone",
        "event": "request",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/v1/audio/transcriptions",
        "status": 200,
        "outcome": "ok",
        "key": "laptop",
        "wire": "openai_audio",
        "route": "/v1/audio/transcriptions",
        "models": ["scripted-asr"],
        "audio_in_s": 1.0,
    }


def test_what_was_spoken_and_what_failed_is_told_and_no_text(told: Told) -> None:
    with told.client as client:
        spoken = client.post("/speak", json={"text": "steps=2 nobody's business", "model": "scripted"})
        failed = client.post("/speak", json={"text": "fail=0", "model": "scripted"})
        unknown = client.post("/v1/audio/speech", json={"input": "private", "model": "none-such"})
        missing = client.get("/no%0awhere%1b[2J?api_key=" + told.key)
    line = told.until(request_id=spoken.headers["x-request-id"], event="request")
    assert line["audio_out_s"] == pytest.approx(0.2) and 0 < line["first_audio_s"] <= line["duration_s"]
    assert line["models"] == ["scripted"] and line["wire"] == "soniqo"
    line = told.until(request_id=failed.headers["x-request-id"], event="request")
    assert (line["level"], line["status"], line["outcome"], line["error"]) == (
        "warning",
        500,
        "failed",
        "engine_failed",
    )
    engine = told.until(request_id=failed.headers["x-request-id"], process="engine")
    assert engine["level"] == "error" and "scripted to fail" in engine["traceback"]
    line = told.until(request_id=unknown.headers["x-request-id"], event="request")
    assert (line["status"], line["outcome"], line["error"]) == (404, "refused", "unknown_model")
    line = told.until(request_id=missing.headers["x-request-id"], event="request")
    assert (line["path"], line["outcome"]) == ("/no\nwhere\x1b[2J", "refused") and "route" not in line
    text = told.file.read_text()
    assert "nobody's business" not in text and "private" not in text


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a,b", "[forged]", "-a", "\u00e9"])
def test_an_id_that_is_none_is_replaced(told: Told, given: str) -> None:
    with told.client as client:
        answer = client.get("/v1/models", headers={b"X-Request-Id": given.encode()})
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.headers["x-request-id"])


def test_a_client_without_a_key_is_told_of(told: Told) -> None:
    wrong = httpx.get(f"{told.server.url}/v1/models", headers={"X-Api-Key": "hunter2"}, trust_env=False)
    line = told.until(request_id=wrong.headers["x-request-id"])
    assert (line["status"], line["error"], line["notes"]) == (401, "invalid_api_key", ["refused: no right API key"])
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{told.server.url.replace('http', 'ws')}/v1/realtime", additional_headers={"X-Request-Id": "sock-1"})
    assert refused.value.response.headers["x-request-id"] == "sock-1"
    line = told.until(request_id="sock-1", event="session")
    assert (line["status"], line["outcome"], line["error"]) == (401, "refused", "invalid_api_key")


@pytest.mark.parametrize("path", SOCKETS)
def test_a_session_on_every_socket_is_one_line(told: Told, path: str) -> None:
    id = f"session{path.replace('/', '.')}"
    headers = {"X-Request-Id": id, "Authorization": f"Bearer {told.key}"}
    with connect(told.server.url.replace("http", "ws") + path, additional_headers=headers) as socket:
        assert socket.response is not None and socket.response.headers["x-request-id"] == id
        socket.send("no message of any protocol")
        drain(socket, 0.2)
    line = told.until(request_id=id, event="session")
    assert (line["wire"], line["route"], line["method"], line["key"]) == (SOCKETS[path], path, "WebSocket", "laptop")
    assert line["close_code"] in (1000, 1005, 1006, 1008, 1011) and line["duration_s"] > 0
    assert sum(one.get("request_id") == id and one.get("event") == "session" for one in told.lines()) == 1
    assert told.until(request_id=id, event="opened")["path"] == path


async def test_a_live_session_has_its_audio_and_models_and_no_words(told: Told) -> None:
    before = len(told.lines())
    async with open_wire("wyoming", told.server.url, lived(told.server).wyoming) as client:
        await client.send(said(0.5))
        assert await client.finish()
    line = told.until(event="request", wire="wyoming")
    assert (line["method"], line["outcome"]) == ("transcribe", "ok") and line["request_id"].startswith("req_")
    assert line["audio_in_s"] == pytest.approx(1.5, abs=0.2) and line["models"] == ["talking-vad", "talking-live"]
    assert not any("transcript" in one for one in told.lines()[before:])


def test_transcripts_are_in_the_log_where_an_owner_asks_for_them(start_server: Start) -> None:
    with start_server("--log-transcripts", SPEECHMLX_MODELS=LIVE_MODELS) as server:
        address = server.url.replace("http", "ws") + "/v1/listen?encoding=linear16&sample_rate=16000"
        with connect(address) as socket:
            for at in range(0, len(data := said(0.5)), 6400):
                socket.send(data[at : at + 6400])
            socket.send('{"type": "CloseStream"}')
            drain(socket, 20.0)
        with server.client() as client:
            form = {"model": "scripted-asr"}
            text = client.post("/v1/audio/transcriptions", data=form, files={"file": wave(1.0)}).json()["text"]
        asked = re.escape(f", heard {text!r} [req_")
        lived = r"INFO    heard '\w+.*' \[req_"
        deadline = time.monotonic() + 20  # the line of a request is written after its answer
        while not all(re.search(one, server.log.read_text()) for one in (asked, lived)):
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.02)
        assert text


def test_both_processes_go_on_in_a_new_file_when_one_is_full(start_server: Start, tmp_path: Path) -> None:
    file = tmp_path / "server.log"
    settings = {"SPEECHMLX_LOG_FILE_SIZE": "4kB", "SPEECHMLX_LOG_FILES_KEPT": "2"}
    with start_server("--log-file", str(file), "--log-format", "json", **settings) as server:
        with server.client() as client:
            for _ in range(30):
                client.get("/v1/audio/models").raise_for_status()
            failed = client.post("/speak", json={"text": "fail=0", "model": "scripted"})
        assert failed.status_code == 500
        files = sorted(tmp_path.glob("server.log*"))
        assert [one.name for one in files] == ["server.log", "server.log.1", "server.log.2"]
        assert server.log.read_text().count("\n") == 5  # the banner
    lines = [json.loads(line) for one in reversed(files) for line in one.read_text().splitlines()]
    assert [line["message"] for line in lines if line["process"] == "engine"] == ["job 1 on scripted failed"]
    assert lines[-1]["message"] == "stopped"
