"""GET /openapi.json and /docs: every HTTP route of the server, described."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx import __version__
from speechmlx.config import Config
from speechmlx.protocols.http.pages import HEADERS, WEB

PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
"""A path's parameter, with starlette's convertor."""


def routes(config: Config) -> list[BaseRoute]:
    """The description and the page that shows it."""
    return [Route("/openapi.json", document, methods=["GET"]), Route("/docs", docs, methods=["GET"])]


async def document(request: Request) -> Response:
    """Description of the routes, OpenAPI 3.1"""
    return JSONResponse(described(request.app.routes))


async def docs(request: Request) -> Response:
    """The description as a page"""
    return FileResponse(WEB / "docs.html", headers=HEADERS)


def described(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The document in web/openapi.json, with a plain entry for each of `routes` that it does not name."""
    found: dict[str, Any] = json.loads((WEB / "openapi.json").read_text(encoding="utf-8"))
    found["info"]["version"] = __version__
    paths: dict[str, dict[str, Any]] = found["paths"]
    known = {PARAMETER.sub("{}", path): path for path in paths}
    for route in routes:
        if isinstance(route, Route):
            path = PARAMETER.sub(r"{\1}", route.path)
            path = known.setdefault(PARAMETER.sub("{}", path), path)
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(path, {}).setdefault(method.lower(), _plain(route))
    return found


def _plain(route: Route) -> dict[str, Any]:
    """What is known of a route that the document does not describe: its summary and its parameters."""
    names = PARAMETER.findall(route.path)
    return {
        "summary": (route.endpoint.__doc__ or route.name).strip().splitlines()[0],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {"default": {"description": "See the summary"}},
    }
