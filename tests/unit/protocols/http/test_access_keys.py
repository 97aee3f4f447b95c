"""API keys: every place where clients put them, what is open without one, and the refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from speechmlx.protocols.http.access_keys import AccessKeys, RequireKey, offered_keys

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
