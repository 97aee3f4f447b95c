"""The page at /: transcribe, speak, enhance and see the models, in a browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from speechmlx.config import Config
from speechmlx.protocols.http.pages import HEADERS, WEB


def routes(config: Config) -> list[BaseRoute]:
    """The page and its files."""
    return [Route("/", page, methods=["GET"]), Mount("/web", StaticFiles(directory=WEB))]


async def page(request: Request) -> Response:
    """A page to try it all in a browser"""
    return FileResponse(WEB / "index.html", headers=HEADERS)
