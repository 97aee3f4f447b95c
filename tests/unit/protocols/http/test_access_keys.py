"""API keys: every place where clients put them, what is open without one, and the refusal."""

from __future__ import annotations

import hmac
import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from speechmlx.key_file import ClientLimits, KeyFile, make_key
from speechmlx.protocols.http.access_keys import KEY, MAX_SECRETS, AccessKeys, Expiry, RequireKey, offered_keys

KEYS = AccessKeys(["right", "other"])


def scope(path: str = "/v1/models", kind: str = "http", query: str = "", **more: Any) -> Scope:
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in more.pop("headers", {}).items()]
    return {"type": kind, "path": path, "method": "GET", "query_string": query.encode(), "headers": headers, **more}


@pytest.mark.parametrize(
    "asked",
    [
        scope(headers={"authorization": "Bearer right"}),
        scope(headers={"authorization": "token right"}),
        scope(headers={"x_api_key": "other"}),
        scope(query="model=x&token=right"),
        scope(query="api_key=right"),
        scope(kind="websocket", subprotocols=["realtime", "openai-insecure-api-key.right"]),
        scope(kind="websocket", subprotocols=["token", "right"]),
        scope(kind="websocket", subprotocols=["bearer", "right"]),
    ],
)
def test_a_key_is_found_wherever_clients_put_it(asked: Scope) -> None:
    assert KEYS.allows(asked)


@pytest.mark.parametrize(
    "asked",
    [
        scope(),
        scope(headers={"authorization": "Bearer wrong"}),
        scope(headers={"authorization": "Basic right"}),
        scope(headers={"authorization": "Bearer "}),
        scope(query="token=Right"),
        scope(query="token="),
        scope(kind="websocket", subprotocols=["realtime", "right"]),
        scope(query="token=%F0%9F%98%80"),
    ],
)
def test_no_other_key_opens(asked: Scope) -> None:
    assert not KEYS.allows(asked)
    assert AccessKeys([]).allows(asked)


def test_the_keys_offered() -> None:
    asked = scope(query="token=a&token=b", headers={"authorization": "Bearer c"})
    assert list(offered_keys(asked)) == ["c", "a", "b"]


async def answered(asked: Scope) -> tuple[bool, list[Message]]:
    """Whether the request reached the app, and what the middleware answered itself."""
    reached, sent = False, list[Message]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal reached
        reached = True

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await RequireKey(app, KEYS)(asked, receive, send)
    return reached, sent


@pytest.mark.parametrize(
    "asked",
    [
        scope("/health"),
        scope("/"),
        scope("/v1/models", method="OPTIONS"),
        scope("/asr", "websocket"),
        scope("/ws/transcribe", "websocket"),
        scope(query="token=right"),
        {"type": "lifespan"},
    ],
)
async def test_what_passes(asked: Scope) -> None:
    assert (await answered(asked)) == (True, [])


async def test_a_request_without_a_key_is_refused() -> None:
    reached, sent = await answered(scope("/v1/models"))
    assert not reached and sent[0]["status"] == 401
    headers = dict(sent[0]["headers"])
    assert headers[b"www-authenticate"] == b"Bearer"
    assert json.loads(sent[1]["body"])["error"]["code"] == "invalid_api_key"


async def test_a_handshake_without_a_key_is_refused() -> None:
    asked = scope("/v1/realtime", "websocket", extensions={"websocket.http.response": {}})
    reached, sent = await answered(asked)
    assert not reached and (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 401)


def named(tmp_path: Path, *scopes: str) -> tuple[AccessKeys, str]:
    """Keys of a file with one key, and that key."""
    file = KeyFile(tmp_path / "keys.json")
    key, text = make_key("bob", scopes, ClientLimits())
    file.add(key)
    return AccessKeys([], file), text


async def test_a_key_without_the_scope_is_refused_by_name(tmp_path: Path) -> None:
    keys, text = named(tmp_path, "use")
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asked = scope("/v1/models", method="POST", query=f"token={text}")
    await RequireKey(lambda *_: pytest.fail("it was let in"), keys)(asked, receive, send)
    error = json.loads(sent[1]["body"])["error"]
    assert sent[0]["status"] == 403 and error["code"] == "insufficient_scope"
    assert "'bob'" in error["message"] and "'manage'" in error["message"] and asked[KEY].name == "bob"
    assert text not in str(sent)


def test_every_key_is_compared_whatever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    right = hmac.compare_digest

    def compare(known: str, offered: str) -> bool:
        compared.append(known)
        return right(known, offered)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for offered in ("right", "other", "wrong", "righ"):
        compared.clear()
        KEYS.accepts([offered])
        assert len(compared) == 2


def test_only_the_first_offers_are_tried() -> None:
    assert KEYS.accepts(["wrong"] * 7 + ["right"]) and not KEYS.accepts(["wrong"] * 8 + ["right"])


def test_a_client_secret_ends_with_its_time_its_maker_and_the_256_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, text = named(tmp_path, "use")
    maker = keys.find([text])
    assert maker is not None
    later = Expiry(1000, math.inf)
    keys.lend("ek_1", later, maker)
    for now, found in ((999.0, maker), (1000.0, None)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert keys.borrowed(["ek_1"]) == found
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert keys.borrowed(["ek_2"]) is None and not keys.accepts(["ek_1"])
    for number in range(MAX_SECRETS):
        keys.lend(f"ek_more{number}", later, maker)
    assert keys.borrowed(["ek_1"]) is None and keys.borrowed(["ek_more0"]) == maker
    KeyFile(tmp_path / "keys.json").remove("bob")
    assert keys.borrowed(["ek_more0"]) is None


def test_a_clock_that_is_set_back_lengthens_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, text = named(tmp_path, "use")
    maker = keys.find([text])
    assert maker is not None
    wall, monotonic = time.time(), time.monotonic()
    keys.lend("ek_1", Expiry.after(60), maker)
    for day, passed, opens in (
        (0, 59, True),
        (-86400, 59, True),
        (-86400, 61, False),
        (0, 61, False),
        (86400, 1, False),
    ):
        monkeypatch.setattr(time, "time", lambda day=day, passed=passed: wall + day + passed)
        monkeypatch.setattr(time, "monotonic", lambda passed=passed: monotonic + passed)
        assert (keys.borrowed(["ek_1"]) is not None) == opens, (day, passed)


def test_a_file_without_keys_opens_to_nobody_and_no_file_to_everybody(tmp_path: Path) -> None:
    keys, text = named(tmp_path, "use")
    assert keys.needed and keys.accepts([text])
    KeyFile(tmp_path / "keys.json").remove("bob")
    assert keys.needed and not keys.accepts([text]) and not keys.accepts([])
    assert AccessKeys([], KeyFile(tmp_path / "none.json")).accepts([])
