"""Pages for people: where they lie, and what they may load."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from speechmlx.protocols.http.paths import ASKED

WEB = Path(__file__).parents[2] / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def shown(request: Request, name: str) -> Response:
    """The page of that file. Its addresses are relative, for proxies that serve it below a path of their own."""
    asked: str = request.scope[ASKED]
    below = len(asked) - len(asked.rstrip("/")) if request.scope["path"] != "/" else 0
    if not below:
        return FileResponse(WEB / name, headers=HEADERS)
    base = f'<head>\n<base href="{"../" * below}">'  # asked for with slashes behind, which are folders to a browser
    return HTMLResponse((WEB / name).read_text(encoding="utf-8").replace("<head>", base, 1), headers=HEADERS)
