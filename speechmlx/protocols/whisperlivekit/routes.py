"""Route of the WebSocket /asr.

connection.py and its dependencies are imported at the first connection, so that the server starts faster.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.protocols.http.later_import import after_import
from speechmlx.protocols.http.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """The WebSocket route."""

    @after_import("speechmlx.protocols.whisperlivekit.connection")
    async def asr(socket: WebSocket) -> None:
        from speechmlx.protocols.whisperlivekit import connection

        await connection.caption(socket, services)

    return [WebSocketRoute("/asr", asr)]
