"""Keys on a real server: what each scope opens, over every route and socket; changes, client secrets, logins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from protocols.conftest import Server, serve
from protocols.test_access import ask
from support.access_policy import POLICY
from support.scripted_conversation import MODELS
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol
from xinference_client import RESTfulClient

COMMAND = Path(sys.executable).with_name("audio-server")
SCOPES = ("use", "manage", "metrics")


@dataclass(frozen=True)
class Keyed:
    """A server with a file of keys: one key per scope."""

    server: Server
    file: Path
    keys: dict[str, str]


def key(file: Path, *arguments: str) -> str:
    """Run `audio-server key`; returns what it printed."""
    environment = {**os.environ, "SPEECHMLX_KEY_FILE": str(file)}
    command = [str(COMMAND), "key", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keyed")
    file = folder / "keys.json"
    keys = {scope: key(file, "add", f"for-{scope}", "--scope", scope).strip() for scope in SCOPES}
    with serve(folder, SPEECHMLX_MODELS=MODELS, SPEECHMLX_KEY_FILE=str(file)) as server:
        yield Keyed(server, file, keys)


@pytest.mark.parametrize(("method", "path"), sorted(POLICY))
def test_each_route_and_socket_wants_a_key_with_its_scope(keyed: Keyed, method: str, path: str) -> None:
    wanted = POLICY[method, path]
    for scope in (None, *SCOPES):
        headers = {} if scope is None else {"Authorization": f"Bearer {keyed.keys[scope]}"}
        status, told, body = ask(keyed.server, method, path, **headers)
        if wanted in ("open", "in messages"):
            assert status in (200, 101, 404)
        elif wanted == "login":
            assert status == 401 and "as the password" in body
        elif scope == wanted:
            assert status not in (401, 403), body
        elif (method, path) == ("WS", "/asr"):
            assert status == 403  # its clients read no answer but the code of the close
        elif scope is None:
            assert status == 401 and told["www-authenticate"] == "Bearer"
            assert method == "HEAD" or "Authorization: Bearer KEY" in body
        else:
            assert status == 403, scope
            assert method == "HEAD" or f"needs '{wanted}'" in json.loads(body).get("detail", body)


@pytest.mark.parametrize("path", ["//metrics", "/metrics/", "/./metrics", "/%6detrics", "/metrics?token={use}"])
def test_no_other_spelling_of_a_path_opens_it(keyed: Keyed, path: str) -> None:
    key = {"Authorization": f"Bearer {keyed.keys['use']}"}
    assert ask(keyed.server, "GET", path.replace("{use}", keyed.keys["use"]), **key)[0] in (403, 404)


def test_a_key_is_shown_once_and_kept_as_a_hash_in_a_file_of_its_owner(keyed: Keyed) -> None:
    text = keyed.file.read_text()
    assert not any(key in text or key.removeprefix("smx-") in text for key in keyed.keys.values())
    assert keyed.file.stat().st_mode & 0o777 == 0o600
    listed = key(keyed.file, "list")
    assert listed.splitlines()[1].split() == ["for-manage", "manage"]
    assert not any(key in listed for key in keyed.keys.values())


def test_keys_come_and_go_without_a_restart(keyed: Keyed) -> None:
    guest = {"Authorization": f"Bearer {key(keyed.file, 'add', 'guest').strip()}"}
    with keyed.server.client() as client:
        assert client.get("/v1/models", headers=guest).status_code == 200
        key(keyed.file, "rm", "guest")
        assert client.get("/v1/models", headers=guest).status_code == 401
        kept = keyed.file.read_bytes()
        right = {"Authorization": f"Bearer {keyed.keys['use']}"}
        try:
            for broken in (b"{", b"[]", b'{"keys": [{}]}'):
                keyed.file.write_bytes(broken)
                assert client.get("/v1/models").status_code == 401
                assert client.get("/v1/models", headers=right).status_code == 200
            keyed.file.unlink()
            assert client.get("/v1/models").status_code == 401
        finally:
            keyed.file.write_bytes(kept)
        assert client.get("/v1/models", headers=right).status_code == 200
    log = keyed.server.log.read_text()
    assert "is not JSON" in log and not any(key in log for key in keyed.keys.values())


def test_a_server_whose_last_key_is_gone_is_closed(keyed: Keyed) -> None:
    kept = keyed.file.read_bytes()
    try:
        key(keyed.file, "rm", *(f"for-{scope}" for scope in SCOPES))
        assert ask(keyed.server, "POST", "/speak", Authorization=f"Bearer {keyed.keys['use']}")[0] == 401
    finally:
        keyed.file.write_bytes(kept)


def test_a_client_secret_opens_the_realtime_socket_alone_and_ends(keyed: Keyed) -> None:
    with keyed.server.client() as client:
        guest = key(keyed.file, "add", "guest").strip()
        answer = client.post("/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {guest}"}, json={})
        secret = answer.json()["value"]
        assert answer.status_code == 200 and secret.startswith("ek_")
        for method, path in POLICY:
            if POLICY[method, path] in SCOPES and (method, path) != ("WS", "/v1/realtime"):
                status = ask(keyed.server, method, path, Authorization=f"Bearer {secret}")[0]
                assert status == (403 if (method, path) == ("WS", "/asr") else 401), (method, path)
    address = keyed.server.url.replace("http", "ws") + "/v1/realtime"
    names = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{secret}")]
    with connect(address, subprotocols=names, proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "session.created"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, subprotocols=[names[0], Subprotocol(names[1] + "0")], proxy=None)
    assert refused.value.response.status_code == 401
    key(keyed.file, "rm", "guest")
    with pytest.raises(InvalidStatus):  # with its maker's key the secret is gone too
        connect(address, subprotocols=names, proxy=None)


def test_xinferences_client_logs_in_with_a_key(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with closing(RESTfulClient(keyed.server.url)) as client:
        with pytest.raises(RuntimeError, match="API keys as the password"):
            client.login("anybody", "wrong")
        client.login("anybody", keyed.keys["use"])
        client.list_models()
        with pytest.raises(RuntimeError, match="manage"):
            client.launch_model(model_name="scripted-big", model_type="audio")
    with closing(RESTfulClient(keyed.server.url, api_key=keyed.keys["use"])) as client:
        client.list_models()


def test_one_shot_and_captions_refuse_in_their_own_words(keyed: Keyed) -> None:
    address = keyed.server.url.replace("http", "ws")
    with connect(f"{address}/ws/transcribe", proxy=None) as socket:
        socket.send(json.dumps({"type": "transcribe", "api_key": keyed.keys["metrics"]}))
        socket.send(b"RIFF")
        assert json.loads(socket.recv(10)) == {"error": "unauthorized"}
    with suppress(ConnectionClosedError), pytest.raises(InvalidStatus):
        connect(f"{address}/asr?token={keyed.keys['metrics']}", proxy=None)
    with connect(f"{address}/asr?token={keyed.keys['use']}", proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "config"


@pytest.mark.parametrize("path", ["/", "/asr", "/ws/transcribe", "/v1/listen", "/v1/realtime"])
@pytest.mark.parametrize("name", ["bearer", "token"])
def test_a_browser_gets_the_name_before_its_key_as_the_subprotocol(keyed: Keyed, path: str, name: str) -> None:
    names = [Subprotocol(name), Subprotocol(keyed.keys["use"])]
    with connect(keyed.server.url.replace("http", "ws") + path, subprotocols=names, proxy=None) as socket:
        assert socket.subprotocol == name


@pytest.mark.parametrize("path", ["/web/../v1/models", "/web/%2e%2e/metrics", "/web", "/web//v1/models"])
def test_the_pages_own_files_open_nothing_else(keyed: Keyed, path: str) -> None:
    status, _, body = ask(keyed.server, "GET", path)
    assert status in (401, 404) and "whisper" not in body and "speechmlx_" not in body
    assert ask(keyed.server, "POST", "/web/page.css")[0] == 401


def test_deepgrams_refusal_has_its_shape(keyed: Keyed) -> None:
    with keyed.server.client() as client:
        answer = client.post("/v1/listen", headers={"Authorization": "Token wrong"}, content=b"RIFF")
        assert (answer.status_code, answer.json()["err_code"]) == (401, "INVALID_AUTH")
        answer = client.post("/v1/listen", headers={"Authorization": f"Token {keyed.keys['metrics']}"}, content=b"RIFF")
        assert (answer.status_code, answer.json()["err_code"]) == (403, "FORBIDDEN")
        assert answer.json()["request_id"] == answer.headers["dg-request-id"]


def test_what_is_almost_a_key_is_none(keyed: Keyed) -> None:
    right = keyed.keys["use"]
    with keyed.server.client() as client:
        for wrong in (right[:-1], right + "0", right.upper(), "", "\N{SLIGHTLY SMILING FACE}", "a" * 4000):
            assert client.get("/v1/models", params={"token": wrong}).status_code == 401
        assert client.get("/v1/models", params={"token": right}).status_code == 200
