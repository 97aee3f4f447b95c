"""A repository of the hub that no row names: its config.json tells what it is, and the files of its commit come."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

REVISION = "0123456789abcdef0123456789abcdef01234567"
VOICE = {
    "config.json": json.dumps({"model_type": "pocket_tts", "sample_rate": 24000}).encode(),
    "model.safetensors": save({"weight": np.ones(1000, np.float32)}),
    "voices/Freya.safetensors": save({"emb": np.ones(10, np.float32)}),
    "modeling.py": b"raise SystemExit",
    "old.pth": b"pickle",
}
REPOSITORIES = {
    "somebody/a-voice": VOICE,
    "somebody/a-sold-voice": VOICE,
    "somebody/chat": {**VOICE, "config.json": b'{"model_type": "gpt2"}'},
    "somebody/pickled": {"config.json": VOICE["config.json"], "weights.pth": b"pickle"},
    "somebody/nothing": {"model.safetensors": VOICE["model.safetensors"]},
}
CARDS = {"somebody/a-sold-voice": {"license": "other", "license_name": "a-non-commercial-licence"}}


@dataclass
class Hub:
    """A hub on this machine, and what it was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            asked.append(self.path)
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            for name, files in REPOSITORIES.items():
                if path in (f"/api/models/{name}", f"/api/models/{name}/revision/{REVISION}"):
                    siblings = [{"rfilename": file, "size": len(data)} for file, data in files.items()]
                    about = {
                        "_id": "1",
                        "id": name,
                        "sha": REVISION,
                        "siblings": siblings,
                        "private": False,
                        "tags": [],
                        "cardData": CARDS.get(name),
                    }
                    return self._send(json.dumps(about).encode(), body)
                if path.startswith(f"/api/models/{name}/tree/"):
                    tree = [
                        {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                        for file, data in files.items()
                    ]
                    return self._send(json.dumps(tree).encode(), body)
                if path.startswith(prefix := f"/{name}/resolve/{REVISION}/"):
                    found = files.get(path.removeprefix(prefix))
                    return self._send(found or b"", body, 404 if found is None else 200, "EntryNotFound")
            self._send(b"", body, 200 if path == "/" else 404)

        def _send(self, data: bytes, body: bool, status: int = 200, lost: str = "RepoNotFound") -> None:
            self.send_response(status)
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "application/json")
            if status == 404:
                self.send_header("X-Error-Code", lost)
            self.end_headers()
            if body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Hub(f"http://127.0.0.1:{server.server_address[1]}", asked)
    server.shutdown()
    server.server_close()
    thread.join()


def run(hub: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(home / "hf"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "SPEECHMLX_CACHE": str(home / "cache"),
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "speechmlx", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_repository_is_pulled_by_its_name(hub: Hub, tmp_path: Path) -> None:
    done = run(hub.address, tmp_path, "pull", "Somebody/A-Voice".lower(), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    folder = Path(found["folder"])
    assert found["model"] == "somebody--a-voice"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "bridge.json",
        "config.json",
        "manifest.json",
        "model.safetensors",
        "voices/Freya.safetensors",
    }
    assert not any(path.endswith((".py", ".pth")) for path in hub.asked)
    told = run("http://127.0.0.1:9", tmp_path, "models", "somebody/a-voice", "--json")
    (row,) = json.loads(told.stdout)
    assert (row["name"], row["kind"], row["here"], row["rate"]) == ("somebody--a-voice", "tts", True, 24000)
    again = run("http://127.0.0.1:9", tmp_path, "pull", "somebody/a-voice", "--json")
    assert again.returncode == 0, "what is here needs no network"
    assert run(hub.address, tmp_path, "rm", "somebody/a-voice").returncode == 0
    assert run(hub.address, tmp_path, "models", "somebody/a-voice").returncode == 2


def test_the_licence_of_a_card_must_be_accepted(hub: Hub, tmp_path: Path) -> None:
    pulled = ("pull", "somebody/a-sold-voice")
    refused = run(hub.address, tmp_path, *pulled)
    assert refused.returncode == 1 and "--accept-licence a-non-commercial-licence" in refused.stderr
    assert run(hub.address, tmp_path, *pulled, "--accept-licence", "a-non-commercial-licence").returncode == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("somebody/chat", "is of no family that mlx-audio has: its config.json says 'gpt2'"),
        ("somebody/pickled", "has no weights that end in .safetensors; it has weights.pth, which may hold code"),
        ("somebody/nothing", "has no config.json, so what it is cannot be told"),
        ("somebody/nowhere", "has no repository 'somebody/nowhere' that this machine may read"),
    ],
)
def test_what_is_no_model_is_refused(hub: Hub, tmp_path: Path, name: str, says: str) -> None:
    done = run(hub.address, tmp_path, "pull", name)
    assert done.returncode == 2 and says in " ".join(done.stderr.split())
    assert not (tmp_path / "cache").exists()


def test_a_hub_that_is_away_is_said_so(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:9", tmp_path, "pull", "somebody/a-voice")
    assert done.returncode != 0 and "cannot be asked for somebody/a-voice" in " ".join(done.stderr.split())


def test_the_families_are_listed(tmp_path: Path) -> None:
    listed = run("http://127.0.0.1:9", tmp_path, "models", "--all", "--json")
    families = {f"{row['part']}/{row['name']}": row for row in json.loads(listed.stdout)}
    assert families["tts/pocket_tts"]["kind"] == "tts" and families["tts/bark"]["kind"] is None
    assert "second repository" in families["tts/bark"]["reason"]
    table = run("http://127.0.0.1:9", tmp_path, "models", "--all", "--kind", "diarize").stdout
    assert "sortformer" in table and "parakeet" not in table and "audio-server pull OWNER/NAME" in table
