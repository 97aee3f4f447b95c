"""Paths as clients and proxies write them, and what is said where nothing is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from support.reverse_proxy import reverse_proxy
from websockets import InvalidStatus
from websockets.sync.client import connect

from speechmlx.app import create_app
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime

PATHS = sorted(
    {
        re.sub(r"{.*?}", "x", route.path)  # type: ignore[attr-defined]
        for route in create_app(build_services(Config(), Runtime(Config(), CATALOG))).routes
        if getattr(route, "methods", None)
    }
)
PAGES = ("", "docs", "docs/", "test_form.html", "test_form.html/")


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/"])
def test_slashes_at_the_end_and_doubled_ones_do_not_count(server: Any, path: str) -> None:
    """By a method that no route has: its answer names the methods of the route that was found."""
    with server.client() as client:
        answers = [
            client.request("TRACE", server.url + one)
            for one in (path, f"{path}/", f"{path}//", f"/{path}", path.replace("/", "//"))
        ]
    assert [answer.status_code for answer in answers] == [405] * 5
    texts = {re.sub(r"req_\w+", "", answer.text) for answer in answers}
    assert len(texts) == 1 and "allowed: " in answers[0].text


def test_what_is_posted_to_a_path_with_a_slash_is_answered_and_not_sent_elsewhere(server: Any) -> None:
    body = {"input": "steps=2 bytes=4800", "model": "scripted", "response_format": "pcm"}
    with server.client() as client:
        said = [client.post(f"/v1/audio/speech{end}", json=body) for end in ("", "/")]
    assert [one.status_code for one in said] == [200, 200]
    assert said[0].content == said[1].content and len(said[0].content) == 9600


@pytest.mark.parametrize("path", ["/v1/realtime/", "//v1/realtime", "/v1//realtime//"])
def test_a_websocket_is_there_however_its_slashes_are_written(server: Any, path: str) -> None:
    with connect(server.url.replace("http", "ws") + path, proxy=None) as socket:
        assert json.loads(socket.recv(timeout=30))["type"] == "session.created"


@pytest.mark.parametrize(
    "path", ["/v1/realtimes", "/realtime", "/v1/audio/speech", "/web/page.js", "/docs", "/v1/models/x"]
)
def test_a_websocket_to_nowhere_is_told_in_a_sentence(server: Any, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(server.url.replace("http", "ws") + path, proxy=None)
    answer = refused.value.response
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/json"
    told = json.loads(answer.body)
    sentence, _, sockets = told.get("detail", told["error"]).partition("; WebSockets: ")
    assert sentence == f"there is no WebSocket at {path}" and {"/asr", "/v1/realtime"} <= set(sockets.split(", "))


def test_an_unknown_path_is_told_the_nearest_routes(server: Any) -> None:
    with server.client() as client:
        told = client.get("/v1/audio/transcription").json()["error"]
        plain = client.post("/transcibe", content=b"").json()["error"]
    assert (told["type"], told["code"]) == ("invalid_request_error", "not_found")
    assert told["message"].startswith(
        "there is nothing at /v1/audio/transcription; routes: /v1/audio/transcriptions, /v1/audio/translations, "
    )
    assert told["message"].endswith("more (GET /docs describes all)") and told["message"].count("/v1/") <= 7
    assert plain.startswith("there is nothing at /transcibe; routes: /transcribe, ")


def test_a_websocket_asked_for_as_a_page_says_what_it_is(server: Any) -> None:
    with server.client() as client:
        answer = client.get("/v1/realtime/")
    assert answer.status_code == 426 and answer.headers["upgrade"] == "websocket"
    assert answer.json()["error"]["message"].startswith("/v1/realtime is a WebSocket: connect with ws://")


# --- Below a path of a proxy -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def below(server: Any) -> Iterator[str]:
    with reverse_proxy(server.url) as url:
        yield url


def addresses(page: str, text: str, client: httpx.Client) -> set[str]:
    """All that a page names, its scripts' included, as a browser understands it: from its base."""
    scripts = [client.get(urljoin(page, found)).text for found in re.findall(r'<script src="([^"]+)"', text)]
    written = re.findall(r'(?:src|href|action)="([^"]+)"', re.sub(r"<base.*?>", "", text))
    written += [found.partition("$")[0] for script in scripts for found in re.findall(r'fetch\(["`]([^"`]+)', script)]
    return {urljoin(page, found) for found in written if not found.startswith("data:")}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_below_a_path_names_what_is_below_it_too(below: str, name: str) -> None:
    with httpx.Client(timeout=60, trust_env=False) as client:
        answer = client.get(f"{below}/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
        base = re.search(r'<base href="([^"]+)">', answer.text)
        page = urljoin(str(answer.url), base[1]) if base else str(answer.url)
        found = addresses(page, answer.text, client)
        assert f"{below}/web/page.css" in found and len(found) >= 3
        for address in found:
            assert address.startswith(f"{below}/")
            assert client.get(address).status_code in (200, 400, 405), address  # 405: only POST goes there


def test_the_description_below_a_path_leads_below_it(below: str) -> None:
    with httpx.Client(timeout=60, trust_env=False) as client:
        (place,) = client.get(f"{below}/openapi.json").json()["servers"]
        root = urljoin(f"{below}/openapi.json", place["url"]).rstrip("/")
        assert root == below
        assert client.get(f"{root}/health").json()["status"] == "ok"
        body = {"text": "steps=1", "engine": "scripted"}
        assert client.post(f"{root}/speak/", json=body).content.startswith(b"RIFF")
