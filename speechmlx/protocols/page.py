"""The web page at /, to transcribe, synthesize, enhance and list the models in a browser."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from speechmlx.protocols.http.paths import not_found
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.static import WEB, page_response


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the page and of its files."""
    return [Route("/", page, methods=["GET"]), Mount("/web", Files(directory=WEB))]


class Files(StaticFiles):
    """The page's files. A WebSocket to one is refused like a WebSocket to an unknown path.

    A browser asks each time whether a file is still the same: its modules belong together.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (super().__call__ if scope["type"] == "http" else not_found)(scope, receive, send)

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers.update({"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"})
        return response


async def page(request: Request) -> Response:
    """A page to try it all in a browser"""
    return page_response(request, "index.html")
