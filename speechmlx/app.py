"""The ASGI app: the routes of every protocol, the middleware, and the lifespan of the services."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from speechmlx import tracing
from speechmlx.protocols import PROTOCOLS
from speechmlx.protocols.http.access_keys import RequireKey
from speechmlx.protocols.http.conditional_route import ConditionalRoute
from speechmlx.protocols.http.origin_policy import OriginPolicy
from speechmlx.protocols.http.paths import NormalizedPaths, http_error, not_found
from speechmlx.protocols.http.proxies import TrustedProxies
from speechmlx.protocols.http.rate_limits import LimitRequests
from speechmlx.protocols.http.request_id import RequestId, name_route
from speechmlx.protocols.http.request_trace import TraceRequests
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.traffic import TrafficLog
from speechmlx.protocols.http.unhandled_errors import UnhandledErrors


def create_app(services: Services, servers: Sequence[AbstractAsyncContextManager[object]] = ()) -> Starlette:
    """The app. Its lifespan starts the runtime, runs `servers` of protocols without HTTP, and closes `services`.

    Raises ValueError when two protocols claim one route.
    """
    routes = _routes(services)
    check(routes)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await services.runtime.start()
        services.jobs.start(services)
        try:
            async with AsyncExitStack() as stack:
                for server in servers:
                    await stack.enter_async_context(server)
                yield
        finally:
            await services.live.close()
            await services.jobs.stop()
            await services.runtime.close()
            services.decoding.close()
            services.fetches.close()

    handlers = {HTTPException: http_error}
    app = Starlette(routes=routes, lifespan=lifespan, middleware=_middleware(services), exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.router.default = not_found
    return app


def _middleware(services: Services) -> list[Middleware]:
    """What each request passes, in order."""
    return [
        Middleware(RequestId, services.config.log_transcripts),
        *([Middleware(TraceRequests)] if tracing.is_on() else []),
        Middleware(TrustedProxies, services.config.trusted_proxy),
        Middleware(TrafficLog, services.traffic),
        Middleware(OriginPolicy, services.config),
        Middleware(NormalizedPaths),
        Middleware(RequireKey, services.keys),
        Middleware(LimitRequests, services.usage),
        Middleware(UnhandledErrors, services.runtime.refusal),
    ]


def _routes(services: Services) -> list[BaseRoute]:
    """The routes of every protocol. Each tells the log which one's it is."""
    routes: list[BaseRoute] = []
    for protocol in PROTOCOLS:
        for route in protocol(services):
            name_route(route, protocol.__module__.split(".")[2])
            routes.append(route)
    return routes


def check(routes: Sequence[BaseRoute]) -> None:
    """Raises ValueError that names each method and path with more than one route."""
    claims: list[str] = []
    for route in routes:
        if isinstance(route, Route):
            what = f" ({route.what})" if isinstance(route, ConditionalRoute) else ""
            claims += [f"{method} {route.path}{what}" for method in route.methods or ()]
        elif isinstance(route, WebSocketRoute):
            claims.append(f"WS {route.path}")
    twice = [claim for claim, count in Counter(claims).items() if count > 1]
    if twice:
        raise ValueError(f"more than one route for {', '.join(twice)}")
