"""WS /ws/transcribe: the document's examples as they stand, recordings of every kind, keys, corrections, metrics."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from prometheus_client.parser import text_string_to_metric_families
from protocols.conftest import serve
from support.chat_server import chat_server
from websockets.asyncio.client import connect as connect_later
from websockets.sync.client import connect
from websockets.sync.connection import Connection

if TYPE_CHECKING:
    from protocols.conftest import Server

TEXT = "part 0. part 1. part 2."
CORRECTED = "Part 0. Part 1. Part 2."
PYTHON = """
import json, io
import soundfile as sf
from websockets.sync.client import connect

audio, sr = sf.read("recording.wav", dtype="float32")

with connect("ws://localhost:8765/ws/transcribe") as ws:
    ws.send(json.dumps({
        "type": "transcribe",
        "language": "bg",
        "task": "transcribe",
        "api_key": "your-key",
        "machine_id": "a1b2c3...",
    }))

    buf = io.BytesIO()
    sf.write(buf, audio, sr, format="WAV")
    ws.send(buf.getvalue())

    result = json.loads(ws.recv())
    text = result.get("postprocessed_text") or result["text"]
    print(text)
"""
JAVASCRIPT = """
const ws = new WebSocket("ws://localhost:8765/ws/transcribe");

ws.onopen = () => {
  ws.send(JSON.stringify({
    type: "transcribe",
    language: "bg",
    api_key: "your-key",
  }));
  ws.send(wavArrayBuffer);
};

ws.onmessage = (event) => {
  const result = JSON.parse(event.data);
  const text = result.postprocessed_text || result.text;
  console.log(text);
};
"""
BEFORE = 'const wavArrayBuffer = new Uint8Array(require("fs").readFileSync("recording.wav")).buffer;\n'
AFTER = 'ws.addEventListener("message", () => ws.close());\n'


def recording(seconds: float = 1.0, rate: int = 16000, channels: int = 1, **format: str) -> bytes:
    file = io.BytesIO()
    samples = np.sin(np.arange(round(seconds * rate)) / 20) * 0.3
    soundfile.write(file, np.stack([samples] * channels, axis=1), rate, **{"format": "WAV", **format})
    return file.getvalue()


def reply(system: str, text: str) -> str:
    """A correction of what is said in Bulgarian, else a wandering answer."""
    return text.replace("part", "Part") if "Bulgarian" in system else "I am a helpful assistant. How are you today?"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key under the other server's name, a door of the protocol's own, and a language model."""
    with chat_server(reply) as url:
        flags = ("--asr", "scripted-asr", "--postprocess", "--llm-url", url, "--bind", "one_shot=127.0.0.1:0")
        with serve(tmp_path_factory.mktemp("keyed"), *flags, SERVER_API_KEY="your-key") as server:
            yield server


def door(server: Server) -> str:
    """Host and port of the protocol's own door."""
    found = re.search(r"Also on http://(\S+) for one_shot", server.log.read_text())
    assert found is not None
    return found[1]


def ask(ws: Connection, audio: bytes, **metadata: Any) -> dict[str, Any]:
    ws.send(json.dumps({"type": "transcribe", **metadata}))
    ws.send(audio)
    answer: dict[str, Any] = json.loads(ws.recv(timeout=20))
    return answer


def opened(server: Server) -> Connection:
    return connect(f"{server.url.replace('http', 'ws')}/ws/transcribe", proxy=None, max_size=None)


def test_the_documents_python(keyed: Server, tmp_path: Path) -> None:
    (tmp_path / "recording.wav").write_bytes(recording())
    code = PYTHON.replace("localhost:8765", door(keyed))
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == (f"{CORRECTED}\n", 0), ran.stderr


@pytest.mark.skipif(shutil.which("node") is None, reason="JavaScript wants Node, which is not here")
def test_the_documents_javascript(keyed: Server, tmp_path: Path) -> None:
    (tmp_path / "recording.wav").write_bytes(recording())
    (tmp_path / "client.cjs").write_text(BEFORE + JAVASCRIPT.replace("localhost:8765", door(keyed)) + AFTER)
    command = ["node", "--experimental-websocket", "client.cjs"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == (f"{CORRECTED}\n", 0), ran.stderr


def test_the_answer_and_its_correction(keyed: Server) -> None:
    with opened(keyed) as ws:
        answer = ask(ws, recording(), language="bg", api_key="your-key")
        assert answer.pop("postprocess_ms") >= 0
        assert answer == {
            "text": TEXT,
            "segments": [
                {"text": f"part {number}.", "start": float(number), "end": number + 1.0} for number in range(3)
            ],
            "language": "bg",
            "postprocessed_text": CORRECTED,
            "postprocess_error": None,
        }
        off = ask(ws, recording(), language="bg", api_key="your-key", postprocess=False)
        assert (off["postprocessed_text"], off["postprocess_ms"], off["postprocess_error"]) == (None, 0, None)
        wandered = ask(ws, recording(), language="de", api_key="your-key")
        assert (wandered["text"], wandered["postprocessed_text"]) == (TEXT, None)
        assert wandered["postprocess_error"] == "the model's answer is not a correction"


def test_a_wrong_key_is_unauthorized_and_any_other_place_for_a_key_will_do(keyed: Server) -> None:
    with opened(keyed) as ws:
        for wrong in ({}, {"api_key": "wrong"}):
            assert ask(ws, recording(), **wrong) == {"error": "unauthorized"}
        ws.send('{"type": "ping"}')
        assert json.loads(ws.recv()) == {"type": "pong", "status": "ok"}
        assert ask(ws, recording(), api_key="your-key")["text"] == TEXT
    url = f"{keyed.url.replace('http', 'ws')}/ws/transcribe"
    with connect(url, additional_headers={"Authorization": "Bearer your-key"}, proxy=None) as ws:
        assert ask(ws, recording())["text"] == TEXT


def test_health_says_whether_texts_are_corrected(keyed: Server, all_scripted: Server) -> None:
    assert (keyed.health()["postprocess_enabled"], all_scripted.health()["postprocess_enabled"]) == (True, False)


def test_metrics_by_machine(keyed: Server) -> None:
    machine = "f" * 64
    labels = {"machine_id": machine, "task": "translate"}
    with keyed.client() as client, opened(keyed) as ws:
        asked = {"machine_id": f"{machine}0", "task": "translate", "api_key": "your-key"}
        assert ask(ws, recording(2.0), language="bg", **asked)["text"] == TEXT
        assert "error" in ask(ws, b"no sound", **asked)
        page = client.get("/metrics", headers={"Authorization": "Bearer your-key"}).text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    mine = {(s.name, s.labels.get("status")): s.value for s in samples if labels.items() <= s.labels.items()}
    assert mine["asr_requests_total", "ok"] == mine["asr_requests_total", "bad_audio"] == 1
    assert mine["asr_audio_seconds_total", None] == 2.0
    assert mine["asr_processing_seconds_count", None] == mine["asr_postprocess_seconds_count", None] == 1


@pytest.mark.parametrize(
    "audio",
    [
        recording(rate=8000),
        recording(rate=44100, channels=2, subtype="FLOAT"),
        recording(subtype="PCM_24"),
        recording(format="FLAC"),
        recording(format="OGG"),
        recording(seconds=330.0),  # over 10 MB in one message
    ],
    ids=["8k", "stereo-float", "24-bit", "flac", "ogg", "long"],
)
def test_recordings_of_every_kind(all_scripted: Server, audio: bytes) -> None:
    with opened(all_scripted) as ws:
        assert ask(ws, audio)["text"] == TEXT


def test_errors_say_what_is_wrong_and_the_socket_stays_usable(all_scripted: Server) -> None:
    with opened(all_scripted) as ws:
        for audio, metadata, words in (
            (b"only words in here", {}, "plain text"),
            (b"", {}, "nothing (0 bytes)"),
            (recording(), {"task": "sing"}, "'task' must be one of transcribe, translate"),
        ):
            answer = ask(ws, audio, **metadata)
            assert answer.keys() == {"error"} and words in answer["error"]
        ws.send(recording())
        assert "a recording without metadata" in json.loads(ws.recv())["error"]
        assert ask(ws, recording())["text"] == TEXT
        unable = ask(ws, recording(), postprocess=True)
        assert unable["text"] == TEXT and unable["postprocess_error"] == "the model's answer is not a correction"


async def test_requests_in_a_row_are_answered_in_order_and_pings_at_once(all_scripted: Server) -> None:
    url = f"{all_scripted.url.replace('http', 'ws')}/ws/transcribe"
    async with connect_later(url, proxy=None, max_size=None) as ws, asyncio.timeout(30):
        for language in ("bg", "de", "sing", "fr"):
            task = "sing" if language == "sing" else "transcribe"
            await ws.send(json.dumps({"type": "transcribe", "language": language, "task": task}))
            await ws.send(recording())
        await ws.send('{"type": "ping"}')
        answers = [json.loads(await ws.recv()) for _ in range(5)]
    assert {"type": "pong", "status": "ok"} in answers
    told = [answer.get("language", "error") for answer in answers if "type" not in answer]
    assert told == ["bg", "de", "error", "fr"]
