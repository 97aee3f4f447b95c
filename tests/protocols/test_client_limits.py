"""Limits of a key on a real server, in the words of each wire's clients."""

from __future__ import annotations

import io
import json
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
from protocols.conftest import Server, serve
from protocols.test_access_keys import key
from support.encoded_audio import encode
from support.scripted_conversation import LIVE_MODELS
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect


@dataclass(frozen=True)
class Limited:
    """A server, and keys with one limit each."""

    server: Server
    keys: dict[str, str]

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def socket(self, name: str, path: str) -> ClientConnection:
        url = self.server.url.replace("http", "ws") + path
        return connect(url, additional_headers=self.headers(name), proxy=None)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Limited]:
    folder = tmp_path_factory.mktemp("limited")
    file = folder / "keys.json"
    limits = {"requests": "--requests-per-minute", "audio": "--audio-seconds-per-day", "sessions": "--sessions"}
    keys = {name: key(file, "add", name, flag, "2").strip() for name, flag in limits.items()}
    for name in CONTAINERS:
        keys[name] = key(file, "add", name, "--audio-seconds-per-day", "3").strip()
    with serve(folder, SPEECHMLX_MODELS=LIVE_MODELS, SPEECHMLX_KEY_FILE=str(file)) as server:
        yield Limited(server, keys)


def sound(seconds: float) -> bytes:
    """A WAV file of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(2 * int(16000 * seconds)))
    return file.getvalue()


def test_openais_client_is_told_of_its_requests(limited: Limited) -> None:
    with openai.OpenAI(
        api_key=limited.keys["requests"], base_url=f"{limited.server.url}/v1", max_retries=0, timeout=20
    ) as client:
        first = client.models.with_raw_response.list()
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        client.models.list()
        with pytest.raises(openai.RateLimitError, match="more than 2 requests a minute") as refused:
            client.models.list()
    assert refused.value.code == "rate_limit_exceeded" and refused.value.type == "requests"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 30
    answer = httpx.post(f"{limited.server.url}/v1/listen", headers=limited.headers("requests"), trust_env=False)
    assert (answer.status_code, answer.json()["err_code"]) == (429, "TOO_MANY_REQUESTS")
    for path in ("/v1/realtime", "/v1/listen", "/asr"):
        with pytest.raises(InvalidStatus) as handshake:
            limited.socket("requests", path)
        assert handshake.value.response.status_code == 429


def test_a_days_audio_ends_on_every_wire(limited: Limited) -> None:
    url, headers = limited.server.url, limited.headers("audio")

    def transcribe(seconds: float) -> httpx.Response:
        files = {"file": ("a.wav", sound(seconds))}
        return httpx.post(f"{url}/v1/audio/transcriptions", files=files, headers=headers, trust_env=False, timeout=30)

    assert transcribe(1.0).status_code == 200
    with limited.socket("audio", "/v1/listen?encoding=linear16&sample_rate=16000") as socket:
        with suppress(ConnectionClosedError):
            for _ in range(8):  # 2 s
                socket.send(bytes(8000))
            while True:
                socket.recv(10)
        assert socket.close_code == 1008
    refused = transcribe(1.0)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 1
    assert "2 seconds of audio today" in refused.json()["error"]["message"]


CONTAINERS = {
    "captions": ("/asr", "webm", ""),
    "live": ("/v1/listen", "ogg", '{"type": "CloseStream"}'),
    "flux": ("/v2/listen?model=flux-general-en", "ogg", '{"type": "CloseStream"}'),
}
"""By the name of a key: the wire's path, a container, and what ends a stream."""


def stream(limited: Limited, name: str, data: bytes) -> tuple[int | None, str]:
    """Send a recording as it is made, on a socket of the key; returns the close code and the last message."""
    path, _, end = CONTAINERS[name]
    last = ""
    with limited.socket(name, path) as socket, suppress(ConnectionClosed):
        with suppress(ConnectionClosed):
            for place in range(0, len(data), 2000):
                socket.send(data[place : place + 2000])
                time.sleep(0.01)
            socket.send(end or b"")
        while "ready_to_stop" not in last:  # after which the client of /asr closes
            last = str(socket.recv(20))
    return socket.close_code, last


@pytest.mark.parametrize("name", CONTAINERS)
def test_live_audio_in_a_container_is_counted_as_it_is_decoded(limited: Limited, name: str) -> None:
    """Of the day's three seconds the first stream takes two; the second ends in its middle, in the wire's words."""
    data = encode(CONTAINERS[name][1], "libopus")
    code, _ = stream(limited, name, data)
    assert code in (1000, 1005)
    code, last = stream(limited, name, data)
    assert code == 1008 and "has sent 3 seconds of audio today" in last
    with limited.server.client() as client:
        refused = client.post("/transcribe", headers=limited.headers(name), content=sound(0.1))
    assert refused.status_code == 429


def test_a_key_in_a_message_has_its_limits(limited: Limited) -> None:
    """On /ws/transcribe the key comes with each request; the day's audio of `audio` is used."""
    asked = {name: json.dumps({"type": "transcribe", "api_key": limited.keys[name]}) for name in ("audio", "sessions")}
    with connect(limited.server.url.replace("http", "ws") + "/ws/transcribe", proxy=None) as socket:
        socket.send(asked["audio"])
        socket.send(sound(2.5))
        assert "key audio has sent 2 seconds of audio today" in json.loads(socket.recv(10))["error"]
        with limited.socket("sessions", "/v1/realtime") as one, limited.socket("sessions", "/v1/realtime") as two:
            for open_ in (one, two):
                open_.recv(10)
            socket.send(asked["sessions"])
            socket.send(sound(0.5))
            assert "2 live sessions of key sessions are open" in json.loads(socket.recv(10))["error"]
        socket.send(asked["sessions"])
        socket.send(sound(0.5))
        assert "error" not in json.loads(socket.recv(10))


def test_one_keys_seats_are_its_own_on_every_wire(limited: Limited) -> None:
    with limited.socket("sessions", "/v1/realtime") as one, limited.socket("sessions", "/v1/realtime") as two:
        for socket in (one, two):
            assert json.loads(socket.recv(10))["type"] == "session.created"
        with limited.socket("sessions", "/v1/realtime") as third:
            error = json.loads(third.recv(10))
            assert error["type"] == "error" and "2 live sessions of key sessions" in error["error"]["message"]
            with pytest.raises(ConnectionClosedError):
                third.recv(10)
            assert third.close_code == 1008
        with pytest.raises(InvalidStatus) as refused:
            limited.socket("sessions", "/v1/listen")
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body or b"")["err_code"] == "TOO_MANY_REQUESTS"
    with limited.socket("sessions", "/v1/realtime") as again:
        assert json.loads(again.recv(10))["type"] == "session.created"


def test_clients_behind_a_trusted_proxy_have_limits_of_their_own(tmp_path: Path) -> None:
    with serve(tmp_path, "--trusted-proxy", "127.0.0.1", SPEECHMLX_REQUESTS_PER_MINUTE="2") as server:
        with server.client() as client:
            statuses = [
                client.get("/v1/models", headers={"X-Forwarded-For": f"127.0.0.1, {address}"}).status_code
                for address in ("203.0.113.5",) * 3 + ("203.0.113.6",)
            ]
        assert statuses == [200, 200, 429, 200]
        server.wait_for_line("203.0.113.6 GET /v1/models 200")
