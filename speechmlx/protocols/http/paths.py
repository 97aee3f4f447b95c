"""Paths with superfluous slashes, and the answers for paths and methods without a route."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.names import listed
from speechmlx.protocols.http.openai_errors import error_response

CLIENT_PATH = "speechmlx.client_path"
"""Key in the scope of the path as the client wrote it."""
CODES = {404: "not_found", 405: "method_not_allowed", 426: "upgrade_required"}
"""Error codes under /v1 by status."""
LISTED = "GET /docs describes all"


class NormalizedPaths:
    """Middleware: drops slashes at the end and doubled ones. /docs/ and //docs are /docs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            path: str = scope["path"]
            scope = {**scope, CLIENT_PATH: path, "path": f"/{'/'.join(part for part in path.split('/') if part)}"}
        await self._app(scope, receive, send)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """The app for requests and WebSockets without a route. Raises HTTPException."""
    raise HTTPException(404)


async def http_error(connection: HTTPConnection, error: Exception) -> Response:
    """The response for an unknown path or method. It refuses the handshake of a WebSocket."""
    assert isinstance(error, HTTPException)
    path, status, headers = connection.scope["path"], error.status_code, dict(error.headers or {})
    message = error.detail
    if status == 404:
        routes = [route for route in connection.app.routes if isinstance(route, Route)]
        sockets = [route for route in connection.app.routes if isinstance(route, WebSocketRoute)]
        if connection.scope["type"] == "websocket":
            message = f"there is no WebSocket at {path}; WebSockets: {_listed(path, sockets)}"
        elif any(route.matches({**connection.scope, "type": "websocket"})[0] is Match.FULL for route in sockets):
            status, headers = 426, {"Upgrade": "websocket", "Connection": "Upgrade"}
            message = (
                f"{path} is a WebSocket: connect with ws:// or wss://; if you did, a proxy on the way drops the "
                "Upgrade header"
            )
        else:
            message = f"there is nothing at {path}; routes: {_listed(path, routes)}"
    elif status == 405:
        message = f"{connection.scope['method']} is not allowed at {path}; allowed: {headers.get('Allow', '')}"
    return error_response(path, status, message, CODES.get(status), headers)


def _listed(path: str, routes: list[Route] | list[WebSocketRoute]) -> str:
    return listed(path, sorted({re.sub(r":\w+}", "}", route.path) for route in routes}), LISTED)
