"""Every route and socket of a real server, asked by pages: its own, foreign ones, allowed ones; and by programs."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from protocols.conftest import Server, serve
from support.access_policy import POLICY, READ_ONLY, requests
from support.scripted_conversation import MODELS

from speechmlx.protocols.http.origin_policy import EXPOSED

EVIL = "https://evil.example"
APP = "https://app.example"


COSTLY = [(method, path) for method, path in requests() if method not in ("GET", "HEAD")]


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ("--allow-origin", APP, "--allow-origin", "app://obsidian.md")
    with serve(tmp_path_factory.mktemp("allowing"), *flags, SPEECHMLX_MODELS=MODELS) as server:
        yield server


def ask(conversing: Server, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and body: of a request without a body, or of a handshake."""
    path = re.sub(r"{.*?}", "nothing", path)
    address = httpx.URL(conversing.url)
    given = {"Host": f"{address.host}:{address.port}"} | {
        name.replace("_", "-"): text for name, text in headers.items()
    }
    if method == "WS":
        method = "GET"
        given |= {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
    else:
        given |= {"Connection": "close", "Content-Length": "0"}
    lines = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    with socket.create_connection((address.host, address.port or 80), 30) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        told = b""
        while b"\r\n\r\n" not in told and (more := connection.recv(65536)):
            told += more
        while " 101 " not in told.decode("latin1").split("\r\n")[0] and (more := connection.recv(65536)):
            told += more
    head, _, body = told.partition(b"\r\n\r\n")
    status, *rest = head.decode("latin1").split("\r\n")
    return (
        int(status.split()[1]),
        {n.lower(): v for n, v in (line.split(": ", 1) for line in rest)},
        body.decode("latin1"),
    )


def sentence(path: str, body: str) -> str:
    """The message of an error, in the shape that the path's clients read."""
    told = json.loads(body)
    if "err_msg" in told:
        return str(told["err_msg"])
    error: Any = told["error"]
    return str(error["message"] if path.startswith("/v1/") else error)


def test_every_route_and_socket_is_looked_at() -> None:
    """A new one fails here until support/access_policy.py says who may use it; the tests below and those of keys ask
    the server about every row."""
    assert set(requests()) == set(POLICY)


@pytest.mark.parametrize(("method", "path"), COSTLY)
def test_what_costs_or_changes_is_refused_to_foreign_pages_alone(conversing: Server, method: str, path: str) -> None:
    foreign = ({"Origin": EVIL}, {"Origin": "null"}, {"Origin": conversing.url + "0"}, {"Sec_Fetch_Site": "cross-site"})
    for headers in foreign:
        status, told, body = ask(conversing, method, path, **headers)
        assert status == 403, headers
        assert "--allow-origin" in sentence(path, body) and headers.get("Origin", "") in sentence(path, body)
        assert told["x-request-id"].startswith("req_") and "access-control-allow-origin" not in told
    for own in ({}, {"Origin": conversing.url}, {"Origin": conversing.url.replace("http", "https")}):
        assert ask(conversing, method, path, **own)[0] not in (403, 421), own


SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
"""Content types that a page may send to any server without asking it first."""


def test_no_simple_request_of_a_page_reaches_a_route_that_reads_json(conversing: Server) -> None:
    """JSON is read from a body that begins with { whatever its type is. Browsers send Origin with every POST, and
    Sec-Fetch-Site with what has none."""
    site = [{"Sec-Fetch-Site": site} for site in ("cross-site", "same-site")]
    foreign = [*site, {"Origin": EVIL}, {"Origin": "null"}, {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}]
    body = b'{"input": "one two", "text": "one two", "model": "scripted", "model_name": "scripted-big", "a": "="}'
    with conversing.client() as client:
        for path in sorted({re.sub(r"{.*?}", "nothing", path) for method, path in COSTLY if method == "POST"}):
            for kind in SIMPLE:
                for headers in foreign:
                    answer = client.post(path, content=body, headers=headers | ({"Content-Type": kind} if kind else {}))
                    assert answer.status_code == 403, (path, kind, headers)
                    assert "--allow-origin" in sentence(path, answer.text)
        answer = client.post("/speak", content=body, headers={"Content-Type": "text/plain"})
        assert answer.status_code == 200  # a program is not asked for a type


@pytest.mark.parametrize(("method", "path"), requests())
def test_a_name_that_is_not_the_servers_is_refused_everywhere(conversing: Server, method: str, path: str) -> None:
    status, told, body = ask(
        conversing, method, path, Host="rebound.example:8080", Origin="http://rebound.example:8080"
    )
    assert status == 421 and told["x-request-id"].startswith("req_")
    assert method == "HEAD" or "is not called 'rebound.example:8080'" in sentence(path, body)


@pytest.mark.parametrize("path", sorted(READ_ONLY))
def test_what_only_reads_is_answered_without_cors_headers(conversing: Server, path: str) -> None:
    for headers in ({"Origin": EVIL}, {"Origin": "null"}, {}):
        status, told, _ = ask(conversing, "GET", path, **headers)
        assert status in (200, 400, 404) and not [name for name in told if name.startswith("access-control")]


@pytest.mark.parametrize(("method", "path"), requests())
def test_pages_of_an_allowed_origin_may_use_and_read_it_all(allowing: Server, method: str, path: str) -> None:
    for host in ({}, {"Host": "app.example"}):
        status, told, _ = ask(allowing, method, path, Origin=APP, **host)
        assert status not in (403, 421)
        if method != "WS":
            assert told["access-control-allow-origin"] == APP and "Origin" in told["vary"]
            assert told["access-control-expose-headers"] == ", ".join(EXPOSED)
    assert ask(allowing, method, path, Origin="app://obsidian.md")[0] not in (403, 421)
    assert method in ("GET", "HEAD") or ask(allowing, method, path, Origin=EVIL)[0] == 403


def test_leave_asked_beforehand_is_given_to_an_allowed_origin(allowing: Server) -> None:
    asking = {
        "Origin": APP,
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization,content-type",
        "Access_Control_Request_Private_Network": "true",
    }
    status, told, _ = ask(allowing, "OPTIONS", "/v1/audio/speech", **asking)
    assert status == 200 and told["access-control-allow-origin"] == APP
    assert "POST" in told["access-control-allow-methods"] and "DELETE" in told["access-control-allow-methods"]
    assert told["access-control-allow-headers"] == "authorization,content-type"
    assert told["access-control-allow-private-network"] == "true"
    status, told, body = ask(allowing, "OPTIONS", "/v1/audio/speech", **asking | {"Origin": EVIL})
    assert status == 403 and EVIL in sentence("/v1/", body) and "access-control-allow-origin" not in told


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/v1/audio/speech", {"json": {}}, 400),
        ("/nowhere", {"json": {}}, 404),
        ("/health", {"json": {}}, 405),
        ("/v1/audio/speech", {"json": {"input": "a" * 2_000_000}}, 413),
        ("/transcribe", {"content": b"no audio"}, 415),
        ("/speak", {"json": {"text": "fail=0", "model": "scripted"}}, 500),
        ("/speak?stream=true", {"json": {"text": "steps=3", "model": "scripted"}}, 200),
        (
            "/v1/audio/speech",
            {"json": {"input": "steps=3", "model": "scripted", "stream_format": "sse", "voice": "alloy"}},
            200,
        ),
    ],
)
def test_errors_and_streams_have_cors_headers_too(
    allowing: Server, path: str, given: dict[str, Any], status: int
) -> None:
    with allowing.client() as client:
        answer = client.post(path, headers={"Origin": APP}, **given)
    assert answer.status_code == status, answer.text
    assert answer.headers["access-control-allow-origin"] == APP


def test_a_large_upload_of_a_foreign_page_gets_the_sentence_and_no_reset(conversing: Server) -> None:
    with conversing.client() as client:
        answer = client.post("/transcribe", content=bytes(20_000_000), headers={"Origin": EVIL})
    assert answer.status_code == 403 and EVIL in answer.json()["error"]
