"""WS /ws/transcribe: metadata as JSON, then a recording as one binary message, then its transcript as one JSON message.

A connection takes any number of requests, and {"type": "ping"} at any time. An error is {"error": "..."} in the place
of the transcript; the connection goes on. The rest is imported at the first connection, so that the server starts
faster.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.one_shot.request_metrics import RequestMetrics

PATH = "/ws/transcribe"


def routes(services: Services) -> list[BaseRoute]:
    """The route of the socket. Its series are on /metrics from the start."""
    metrics = RequestMetrics(services.runtime.metrics)

    @after_import("speechmlx.protocols.one_shot.connection")
    async def answer(socket: WebSocket) -> None:
        """Answer the requests of one connection."""
        from speechmlx.protocols.one_shot import connection

        await connection.answer(socket, services, metrics)

    return [WebSocketRoute(PATH, answer)]
