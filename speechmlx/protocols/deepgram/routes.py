"""Routes of Deepgram's API. What they need is imported at the first request, so that the server starts faster."""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.deepgram.speech_routes import speech_routes
from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """The routes."""

    @after_import("speechmlx.protocols.deepgram.connection")
    async def listen(socket: WebSocket) -> None:
        from speechmlx.protocols.deepgram import connection

        await connection.listen(socket, services)

    @after_import("speechmlx.protocols.deepgram.connection")
    async def flux(socket: WebSocket) -> None:
        from speechmlx.protocols.deepgram import connection

        await connection.flux(socket, services)

    sockets = [WebSocketRoute("/v1/listen", listen), WebSocketRoute("/v2/listen", flux)]
    return [*sockets, *speech_routes(services)]
