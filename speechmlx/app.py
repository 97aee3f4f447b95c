"""The ASGI app: the routes of every protocol, the runtime's life, and JSON for what no route answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from speechmlx.config import Config
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http.conditional import When
from speechmlx.protocols.http.fetch import Fetches
from speechmlx.protocols.http.named import Names
from speechmlx.protocols.http.recording import Decoding
from speechmlx.protocols.http.request_id import RequestId
from speechmlx.runtime.front import Runtime

CODES = {404: "not_found", 405: "method_not_allowed"}
"""Of what is refused before a route is found, under /v1."""


def create_app(config: Config, runtime: Runtime) -> Starlette:
    """The app, which starts `runtime` and closes it. Raises ValueError when two protocols claim one route."""
    routes = [route for protocol in PROTOCOLS for route in protocol(config)]
    check(routes)
    decoding, fetches = Decoding(config.max_jobs), Fetches()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await runtime.start()
        try:
            yield
        finally:
            await runtime.close()
            decoding.close()
            fetches.close()

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(RequestId)],
        exception_handlers={HTTPException: _refused},
    )
    app.state.runtime = runtime
    app.state.names = Names(runtime)
    app.state.decoding = decoding
    app.state.fetches = fetches
    app.state.ports = {}
    return app


def check(routes: Sequence[BaseRoute]) -> None:
    """Raises ValueError naming what more than one route answers."""
    claims: list[str] = []
    for route in routes:
        if isinstance(route, Route):
            what = f" ({route.what})" if isinstance(route, When) else ""
            claims += [f"{method} {route.path}{what}" for method in route.methods or ()]
        elif isinstance(route, WebSocketRoute):
            claims.append(f"WS {route.path}")
    twice = [claim for claim, count in Counter(claims).items() if count > 1]
    if twice:
        raise ValueError(f"more than one route for {', '.join(twice)}")


async def _refused(request: Request, error: Exception) -> Response:
    """A path or method that is not there."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        known = sorted({route.path for route in request.app.routes if isinstance(route, Route)})
        message = f"there is nothing at {request.url.path}; routes: {', '.join(known)}"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed at {request.url.path}; allowed: {allowed}"
    if not request.url.path.startswith("/v1/"):
        return JSONResponse({"error": message}, error.status_code, error.headers)
    told = {"message": message, "type": "invalid_request_error", "param": None, "code": CODES.get(error.status_code)}
    return JSONResponse({"error": told, "detail": message}, error.status_code, error.headers)
