"""The page at /: transcribe, speak, enhance and see the models, in a browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from speechmlx.config import Config
from speechmlx.protocols.http.paths import nowhere
from speechmlx.protocols.http.static import WEB, shown


def routes(config: Config) -> list[BaseRoute]:
    """The page and its files."""
    return [Route("/", page, methods=["GET"]), Mount("/web", Files(directory=WEB))]


class Files(StaticFiles):
    """Files; a WebSocket to one is refused as one to nowhere."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (super().__call__ if scope["type"] == "http" else nowhere)(scope, receive, send)


async def page(request: Request) -> Response:
    """A page to try it all in a browser"""
    return shown(request, "index.html")
