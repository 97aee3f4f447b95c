"""The app: no two routes for one request."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from speechmlx.app import check
from speechmlx.config import Config
from speechmlx.protocols import PROTOCOLS


async def answer(request: Request) -> Response:
    return Response()


async def talk(socket: WebSocket) -> None:
    await socket.close()


def test_the_protocols_do_not_collide() -> None:
    check([route for protocol in PROTOCOLS for route in protocol(Config())])


def test_one_path_with_two_methods_is_fine() -> None:
    check([Route("/a", answer, methods=["GET"]), Route("/a", answer, methods=["POST"]), WebSocketRoute("/a", talk)])


def test_two_routes_with_one_path_and_method_are_named() -> None:
    with pytest.raises(ValueError, match=r"more than one route for POST /a$"):
        check([Route("/a", answer, methods=["POST"]), Route("/b", answer), Route("/a", answer, methods=["POST"])])
    with pytest.raises(ValueError, match=r"WS /a"):
        check([WebSocketRoute("/a", talk), WebSocketRoute("/a", talk)])
