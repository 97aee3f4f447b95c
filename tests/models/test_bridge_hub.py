"""A repository of the hub that no row names: its config.json tells what it is, and the files of its commit come."""

from __future__ import annotations

import asyncio
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
from huggingface_hub import constants
from safetensors.numpy import save

from speechmlx.config import Config
from speechmlx.errors import ModelUnavailable
from speechmlx.models import admission, catalog
from speechmlx.models.licences import Licences
from speechmlx.runtime.front import late_admission
from speechmlx.runtime.front.late_admission import admit_later
from speechmlx.types import Kind

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
    "somebody/a-listed-voice": VOICE,
    "somebody/chat": {**VOICE, "config.json": b'{"model_type": "gpt2"}'},
    "somebody/pickled": {"config.json": VOICE["config.json"], "weights.pth": b"pickle"},
    "somebody/kept-back": VOICE,
    "somebody/nothing": {"model.safetensors": VOICE["model.safetensors"]},
}
CARDS = {
    "somebody/a-sold-voice": {"license": "other", "license_name": "a-non-commercial-licence"},
    "somebody/a-listed-voice": {"license": ["mit", "cc-by-nc-4.0"]},
}


@dataclass
class Hub:
    """A hub on this machine, and what it was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)

    def take_the_place_of_the_real_one(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        """In this process, where HF_HUB_OFFLINE is on until a test turns it off."""
        template = f"{self.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "ENDPOINT", self.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hf"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


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
                    if name == "somebody/kept-back":
                        return self._send(b"log in to this network first", body, 409)
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


async def test_what_the_settings_name_is_admitted_when_the_hub_answers(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(late_admission, "PERIOD", 0.01)
    hub.take_the_place_of_the_real_one(monkeypatch, tmp_path)
    config = Config(cache=tmp_path, models={"tts": "somebody/a-voice"})
    known = admission.admit_settings(catalog.load(tmp_path), config)
    known.check(config)
    (absent,) = known.missing
    assert (absent.name, absent.kind, absent.rate) == ("somebody--a-voice", Kind.TTS, 16000)
    assert absent.name not in known.names() and known.default(Kind.TTS, config) is absent
    with pytest.raises(ModelUnavailable, match=r"not known yet what somebody--a-voice is: .*HF_HUB_OFFLINE is set"):
        Licences(config).require(absent)
    later = asyncio.create_task(admit_later(known, config))
    done, _ = await asyncio.wait({later}, timeout=0.1)
    assert not done
    constants.HF_HUB_OFFLINE = False
    async with asyncio.timeout(30):
        await later
    assert known.missing == () and known.default(Kind.TTS, config).rate == 24000
    assert known.default(Kind.TTS, config).runnable
    told = [record.message for record in caplog.records if record.name == late_admission.__name__]
    assert told[0].startswith("requests for somebody--a-voice fail") and told[1:] == ["somebody--a-voice is known now"]


async def test_a_repository_that_proves_to_be_none_is_told_once_and_holds_up_no_other(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(late_admission, "PERIOD", 0.01)
    hub.take_the_place_of_the_real_one(monkeypatch, tmp_path)
    config = Config(cache=tmp_path, models={"asr": "somebody/chat", "tts": "somebody/a-voice"})
    known = admission.admit_settings(catalog.load(tmp_path), config)
    assert len(known.missing) == 2
    constants.HF_HUB_OFFLINE = False
    later = asyncio.create_task(admit_later(known, config))
    async with asyncio.timeout(30):
        while len(known.missing) == 2:
            await asyncio.sleep(0.01)
    done, _ = await asyncio.wait({later}, timeout=0.1)
    assert not done and [row.name for row in known.missing] == ["somebody--chat"]
    later.cancel()
    assert caplog.text.count("is of no family that mlx-audio has") == 1


def test_the_licence_of_a_card_must_be_accepted(hub: Hub, tmp_path: Path) -> None:
    pulled = ("pull", "somebody/a-sold-voice")
    refused = run(hub.address, tmp_path, *pulled)
    assert refused.returncode == 1 and "--accept-licence a-non-commercial-licence" in refused.stderr
    assert run(hub.address, tmp_path, *pulled, "--accept-licence", "a-non-commercial-licence").returncode == 0


def test_one_licence_of_several_is_enough_to_be_asked(hub: Hub, tmp_path: Path) -> None:
    refused = run(hub.address, tmp_path, "pull", "somebody/a-listed-voice")
    assert refused.returncode == 1 and "--accept-licence 'mit AND cc-by-nc-4.0'" in refused.stderr


def test_a_network_that_gives_no_files_says_nothing_about_a_repository(hub: Hub, tmp_path: Path) -> None:
    done = run(hub.address, tmp_path, "pull", "somebody/kept-back")
    assert done.returncode == 1, "it may come another time"
    assert "did not give config.json of somebody/kept-back" in " ".join(done.stderr.split())


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
