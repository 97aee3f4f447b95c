"""Paths as clients write them, and a sentence for what is at none of them."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.names import listed
from speechmlx.protocols.http.openai_errors import unrouted

ASKED = "speechmlx.asked"
"""Of the scope: the path as the client wrote it."""
CODES = {404: "not_found", 405: "method_not_allowed", 426: "upgrade_required"}
"""Of what is refused before a route is found, under /v1."""
LISTED = "GET /docs describes all"


class Tidy:
    """Middleware for which slashes at the end and doubled ones do not count: /docs/ and //docs are /docs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            asked: str = scope["path"]
            scope = {**scope, ASKED: asked, "path": f"/{'/'.join(part for part in asked.split('/') if part)}"}
        await self._app(scope, receive, send)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """What no route takes, an HTTP request or a WebSocket."""
    raise HTTPException(404)


async def refused(asked: HTTPConnection, error: Exception) -> Response:
    """The answer for a path or a method that is not there; to a WebSocket it refuses the handshake."""
    assert isinstance(error, HTTPException)
    path, status, headers = asked.scope["path"], error.status_code, dict(error.headers or {})
    message = error.detail
    if status == 404:
        known = [route for route in asked.app.routes if isinstance(route, Route)]
        sockets = [route for route in asked.app.routes if isinstance(route, WebSocketRoute)]
        if asked.scope["type"] == "websocket":
            message = f"there is no WebSocket at {path}; WebSockets: {_written(path, sockets)}"
        elif any(route.matches({**asked.scope, "type": "websocket"})[0] is Match.FULL for route in sockets):
            status, headers = 426, {"Upgrade": "websocket", "Connection": "Upgrade"}
            message = (
                f"{path} is a WebSocket: connect with ws:// or wss://; if you did, a proxy on the way drops the "
                "Upgrade header"
            )
        else:
            message = f"there is nothing at {path}; routes: {_written(path, known)}"
    elif status == 405:
        message = f"{asked.scope['method']} is not allowed at {path}; allowed: {headers.get('Allow', '')}"
    return unrouted(path, status, message, CODES.get(status), headers)


def _written(path: str, routes: list[Route] | list[WebSocketRoute]) -> str:
    return listed(path, sorted({re.sub(r":\w+}", "}", route.path) for route in routes}), LISTED)
