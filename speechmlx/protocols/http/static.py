"""Pages for browsers: their folder, and the headers that limit what they load."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from speechmlx.protocols.http.paths import CLIENT_PATH

WEB = Path(__file__).parents[2] / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "media-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def page_response(request: Request, name: str) -> Response:
    """The page in the file `name`. Its links are relative, so that a proxy may serve it below a path of its own."""
    path: str = request.scope[CLIENT_PATH]
    below = len(path) - len(path.rstrip("/")) if request.scope["path"] != "/" else 0
    if not below:
        return FileResponse(WEB / name, headers=HEADERS)
    base = f'<head>\n<base href="{"../" * below}">'  # a browser takes the slashes at the end for folders
    return HTMLResponse((WEB / name).read_text(encoding="utf-8").replace("<head>", base, 1), headers=HEADERS)
