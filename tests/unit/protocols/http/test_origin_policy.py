"""Whose requests are answered: by Host, Origin and Sec-Fetch-Site, for what reads and what does more."""

from __future__ import annotations

import socket

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from speechmlx.config import Config
from speechmlx.protocols.http.origin_policy import OriginPolicy

ALLOWED = ("https://app.example", "http://localhost:3000", "app://obsidian.md", "null")
EVIL = "http://evil.example"


async def status(config: Config, kind: str, headers: dict[str, str]) -> int:
    """Of the answer to a request ("GET", "POST", ...) or a socket's handshake ("WS"); 200 where it is let in."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {"type": "http", "method": kind, "path": "/v1/any", "headers": pairs}
    if kind == "WS":
        scope = {"type": "websocket", "path": "/v1/any", "headers": pairs}
    await OriginPolicy(PlainTextResponse("in"), config)(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize("kind", ["GET", "POST", "WS"])
@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8080", True),
        ("192.168.1.20:8080", True),
        ("127.1", True),
        ("[::1]:8080", True),
        ("[fe80::1%25en0]:8080", True),
        ("localhost", True),
        ("LOCALHOST.:8080", True),
        ("speech.localhost:8080", True),
        ("mac:8080", True),
        ("mac.local:8080", True),
        ("host.docker.internal:8080", True),
        (f"{socket.gethostname()}:8080", True),
        ("bound.lan:8080", True),
        ("also-bound.lan:5050", True),
        ("", True),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example:8080", False),
        ("localhost.evil.example", False),
        ("evil.example@127.0.0.1", False),
        ("evillocal.example", False),
        ("app.example", False),
    ],
)
async def test_a_name_that_a_page_elsewhere_may_have_is_refused(kind: str, host: str, ours: bool) -> None:
    config = Config(host="bound.lan", bind=("hybrid=also-bound.lan:5050",))
    headers = {"host": host} if host else {}
    assert await status(config, kind, headers) == (200 if ours else 421)


OWN = {"host": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"origin": "http://127.0.0.1:8080"}, True),
        ({"origin": "HTTP://127.0.0.1:8080"}, True),
        ({"origin": "ws://127.0.0.1:8080"}, True),
        ({"origin": "http://mac.local", "host": "mac.local"}, True),
        ({"origin": "http://mac.local", "host": "mac.local:80"}, True),
        ({"origin": "https://[fe80::1]", "host": "[fe80::1]"}, True),
        ({"origin": "https://speech.local", "host": "speech.local:443"}, True),
        ({"origin": "https://proxy.example", "sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "https://app.example"}, True),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "app://obsidian.md"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://app.example", "host": "app.example:8080"}, True),
        ({"origin": EVIL}, False),
        ({"origin": f"{EVIL}:8080"}, False),
        ({"origin": "http://app.example"}, False),
        ({"origin": "https://app.example.evil.example"}, False),
        ({"origin": "http://127.0.0.1"}, False),
        ({"origin": "http://127.0.0.1:80800"}, False),
        ({"origin": "http://localhost:8080"}, False),
        ({"origin": "http://localhost:3001"}, False),
        ({"origin": "file://127.0.0.1:8080"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
    ],
)
async def test_pages_of_foreign_origins_may_read_and_no_more(headers: dict[str, str], own: bool) -> None:
    config = Config(allow_origin=ALLOWED)
    for kind in ("POST", "DELETE", "PUT", "PATCH", "BREW", "WS"):
        assert await status(config, kind, OWN | headers) == (200 if own else 403), kind
    for kind in ("GET", "HEAD", "OPTIONS"):
        assert await status(config, kind, OWN | headers) == 200, kind


async def test_null_is_foreign_unless_it_is_allowed() -> None:
    assert await status(Config(), "POST", OWN | {"origin": "null"}) == 403
    assert await status(Config(), "WS", OWN | {"origin": "null"}) == 403


async def test_all_may_where_all_are_allowed() -> None:
    for headers in ({"origin": EVIL}, {"origin": "null"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
        for kind in ("POST", "WS", "GET"):
            assert await status(Config(allow_origin=("*",)), kind, OWN | headers) == 200


async def test_leave_that_a_foreign_page_asks_is_not_given() -> None:
    asking = OWN | {"origin": EVIL, "access-control-request-method": "POST"}
    assert await status(Config(), "OPTIONS", asking) == 403
    assert await status(Config(allow_origin=ALLOWED), "OPTIONS", asking) == 403
    assert await status(Config(allow_origin=ALLOWED), "OPTIONS", asking | {"origin": ALLOWED[0]}) == 200


async def test_only_the_host_of_an_allowed_site_is_a_name_of_the_server() -> None:
    for host, code in (("app.example", 200), ("APP.example.:8443", 200), ("obsidian.md", 421), ("no.example", 421)):
        assert await status(Config(allow_origin=ALLOWED), "GET", {"host": host}) == code
