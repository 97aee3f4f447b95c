"""WhisperLive: live transcription on the WebSocket / of every port, for the clients of collabora's WhisperLive.

The rest is imported at the first connection, so that the server starts faster.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.whisperlive.series import WhisperLiveSeries


def routes(services: Services) -> list[BaseRoute]:
    """The route of the socket. Its series are on /metrics from the start."""
    series = WhisperLiveSeries(services.runtime.metrics)
    services.traffic.listeners.append(series.rest_request)
    starts: set[float] = set()

    @after_import("speechmlx.protocols.whisperlive.connection")
    async def answer(socket: WebSocket) -> None:
        """Transcribe what a client says."""
        from speechmlx.protocols.whisperlive import connection

        await connection.answer(socket, services, series, starts)

    return [WebSocketRoute("/", answer)]
