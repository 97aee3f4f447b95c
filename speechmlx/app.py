"""The ASGI app: the routes of every protocol, and the runtime's life."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from speechmlx.config import Config
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http.conditional_route import When
from speechmlx.protocols.http.model_names import Names
from speechmlx.protocols.http.origin_policy import Access
from speechmlx.protocols.http.paths import Tidy, nowhere, refused
from speechmlx.protocols.http.request_id import RequestId
from speechmlx.protocols.http.traffic import Logged, Traffic
from speechmlx.protocols.http.unhandled_errors import Caught
from speechmlx.protocols.http.uploads import Decoding
from speechmlx.protocols.http.url_fetch import Fetches
from speechmlx.protocols.session_limit import SessionLimit
from speechmlx.runtime.front.runtime import Runtime


def create_app(config: Config, runtime: Runtime) -> Starlette:
    """The app, which starts `runtime` and closes it. Raises ValueError when two protocols claim one route."""
    routes = [route for protocol in PROTOCOLS for route in protocol(config)]
    check(routes)
    decoding, fetches, traffic = Decoding(config.max_jobs), Fetches(), Traffic()

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
        middleware=[
            Middleware(RequestId),
            Middleware(Logged, traffic),
            Middleware(Access, config),
            Middleware(Caught),
            Middleware(Tidy),
        ],
        exception_handlers={HTTPException: refused},
    )
    app.router.redirect_slashes = False
    app.router.default = nowhere
    app.state.runtime = runtime
    app.state.names = Names(runtime)
    app.state.decoding = decoding
    app.state.fetches = fetches
    app.state.ports = {}
    app.state.sessions = SessionLimit(config.max_sessions, runtime)
    app.state.traffic = traffic
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
