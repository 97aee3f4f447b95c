"""Paths with superfluous slashes, and the answers for paths and methods without a route."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.http.paths import CLIENT_PATH, NormalizedPaths, http_error, not_found


async def path(request: Request) -> Response:
    return PlainTextResponse(f"{request.scope['path']} {request.scope[CLIENT_PATH]}")


async def talk(socket: WebSocket) -> None:
    await socket.close()


@pytest.fixture
def app() -> Starlette:
    app = Starlette(
        routes=[
            Route("/a/b", path, methods=["GET"]),
            Route("/v1/models/{name:path}", path, methods=["GET"]),
            WebSocketRoute("/v1/talk", talk),
        ],
        middleware=[Middleware(NormalizedPaths)],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False
    app.router.default = not_found
    return app


async def get(app: Starlette, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a") as client:
        return await client.request(method, f"http://a{path}")


@pytest.mark.parametrize("written", ["/a/b", "/a/b/", "//a//b//"])
async def test_superfluous_slashes_do_not_count(app: Starlette, written: str) -> None:
    assert (await get(app, written)).text == f"/a/b {written}"


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "says"),
    [
        ("GET", "/nothing", 404, None, "there is nothing at /nothing; routes: "),
        ("GET", "/v1/nothing", 404, "not_found", "there is nothing at /v1/nothing; routes: "),
        ("POST", "/a/b", 405, None, "POST is not allowed at /a/b; allowed: "),
        ("POST", "/v1/models/x", 405, "method_not_allowed", "POST is not allowed at /v1/models/x; allowed: "),
        ("GET", "/v1/talk", 426, "upgrade_required", "/v1/talk is a WebSocket: connect with ws:// or wss://"),
    ],
)
async def test_a_path_or_method_without_a_route_has_its_sentence(
    app: Starlette, method: str, path: str, status: int, code: str | None, says: str
) -> None:
    answer = await get(app, path, method)
    error: Any = answer.json()["error"]
    message = error["message"] if code else error
    assert answer.status_code == status and message.startswith(says)
    assert code is None or error["code"] == code


async def test_an_unknown_websocket_is_refused_with_the_known_ones(app: Starlette) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/v1/nothing", "headers": [], "query_string": b"", "app": app}
    scope |= {"extensions": {"websocket.http.response": {}}}
    await app(scope, receive, send)
    assert sent[0]["status"] == 404
    assert "WebSockets: /v1/talk" in json.loads(sent[1]["body"])["error"]["message"]
