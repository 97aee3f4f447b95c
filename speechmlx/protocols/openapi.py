"""GET /openapi.json and /docs: the description of every HTTP route of the server."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx import __version__
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.http.static import WEB, page_response


def routes(services: Services) -> list[BaseRoute]:
    """The routes of the description and of the page that shows it."""
    return [Route("/openapi.json", document, methods=["GET"]), Route("/docs", docs, methods=["GET"])]


async def document(request: Request) -> Response:
    """Description of the routes, OpenAPI 3.1"""
    description = json.loads((WEB / "openapi.json").read_text(encoding="utf-8"))
    description["info"]["version"] = __version__
    return JSONResponse(description)


async def docs(request: Request) -> Response:
    """The description as a page"""
    return page_response(request, "docs.html")
