"""TLS on a real server: HTTP/1.1, HTTP/2 and wss at one port, with a certificate that it made; and --require-key."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from protocols.conftest import COMMAND, Server, serve
from support.scripted_conversation import MODELS
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("secure")
    flags, home = ("--tls-self-signed", "--wyoming", "0"), str(folder)
    with serve(folder, *flags, SPEECHMLX_MODELS=MODELS, HOME=home, XDG_CONFIG_HOME=home) as server:
        yield server


@pytest.fixture
def trust(secure: Server) -> ssl.SSLContext:
    """A context that trusts the certificate of which the banner tells, and nothing else."""
    told = re.search(r"TLS: self-signed certificate (.+), SHA-256 ([0-9A-F:]{95})\n", secure.log.read_text())
    assert told is not None
    pem = Path(told[1]).read_text()
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper() == told[2]
    return ssl.create_default_context(cadata=pem)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_https(secure: Server, trust: ssl.SSLContext, version: str) -> None:
    with httpx.Client(base_url=secure.url, verify=trust, trust_env=False, http2=version == "HTTP/2") as client:
        answer = client.get("/health")
        assert (answer.status_code, answer.http_version) == (200, version)
        spoken = client.post("/speak", json={"text": "steps=3", "model": "scripted"})
        assert spoken.status_code == 200 and len(spoken.content) > 100
        own = client.post("/speak", json={"text": "steps=1", "model": "scripted"}, headers={"Origin": secure.url})
        assert own.status_code == 200
        foreign = client.post("/speak", json={}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


def test_wss(secure: Server, trust: ssl.SSLContext) -> None:
    address = secure.url.replace("https", "wss") + "/v1/realtime"
    with connect(address, ssl=trust, proxy=None) as client:
        assert json.loads(client.recv(10))["type"] == "session.created"
        assert client.socket.version() in ("TLSv1.2", "TLSv1.3")  # type: ignore[attr-defined]


def test_nothing_is_answered_without_tls_or_to_who_does_not_trust_it(secure: Server, trust: ssl.SSLContext) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(secure.url.replace("https", "http") + "/health", trust_env=False)
    with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
        httpx.get(secure.url + "/health", trust_env=False)
    assert httpx.get(secure.url + "/health", trust_env=False, verify=trust).status_code == 200


def test_no_page_speaks_to_wyoming(secure: Server) -> None:
    """It has an address of its own, on this machine unless the owner says otherwise; HTTP gets no event from it."""
    host, port = secure.wyoming.removeprefix("tcp://").split(":")
    assert host == "127.0.0.1"
    request = b'POST / HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n{"type": "describe"}\n'
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        told = b""
        while more := client.recv(65536):
            told += more
    assert b'"info"' not in told and b'"asr"' not in told


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--host", "0.0.0.0", "--port", "0"), "there is no key; make one with `audio-server key add NAME`"),
        (("--port", "0", "--bind", "0.0.0.0:0"), "there is no key"),
        (("--port", "0", "--api-key", "k", "--wyoming", "0.0.0.0:0"), "Wyoming"),
    ],
)
def test_require_key_refuses_what_other_machines_could_use(tmp_path: Path, flags: tuple[str, ...], said: str) -> None:
    environment = {**os.environ, "SPEECHMLX_KEY_FILE": str(tmp_path / "keys.json")}
    command = [str(COMMAND), "--profile", "starter", "--require-key", *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "") and said in done.stderr and "open to the network" in done.stderr


def test_require_key_starts_on_this_machine_and_with_a_key(tmp_path: Path) -> None:
    with serve(tmp_path / "local", "--require-key") as server:
        assert server.health()["engine"] == "ok"
    with serve(tmp_path / "keyed", "--require-key", "--bind", "0.0.0.0:0", "--api-key", "k") as server:
        assert "can use this server, with an API key, which is sent in the clear" in server.log.read_text()


def test_a_wrong_file_of_keys_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{")
    environment = {**os.environ, "SPEECHMLX_KEY_FILE": str(tmp_path / "keys.json")}
    command = [str(COMMAND), "--profile", "starter", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "is not JSON" in done.stderr
