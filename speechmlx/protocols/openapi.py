"""GET /openapi.json and /docs: every HTTP route of the server, described."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx import __version__
from speechmlx.config import Config
from speechmlx.protocols.http.static import WEB, shown


def routes(config: Config) -> list[BaseRoute]:
    """The description and the page that shows it."""
    return [Route("/openapi.json", document, methods=["GET"]), Route("/docs", docs, methods=["GET"])]


async def document(request: Request) -> Response:
    """Description of the routes, OpenAPI 3.1"""
    found = json.loads((WEB / "openapi.json").read_text(encoding="utf-8"))
    found["info"]["version"] = __version__
    return JSONResponse(found)


async def docs(request: Request) -> Response:
    """The description as a page"""
    return shown(request, "docs.html")
