"""Who may use the server: its own web pages, pages of allowed origins, and every program.

Browsers send the origin of a page in Origin or Sec-Fetch-Site; programs send neither. Requests of foreign pages that
only read are answered without CORS headers, so the page cannot see the answer; other requests are refused. A page whose
host name was pointed at this machine (DNS rebinding) is recognised by the Host header, and all is refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.config import Config
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import add_log_note
from speechmlx.setting_values import PORTS

READS = ("GET", "HEAD", "OPTIONS")
"""Methods that only read. A test lists every GET."""
LOCAL = ("localhost", "local", "internal", "home.arpa")
"""Top-level names that the public DNS never resolves."""
LOCAL_ENDS = tuple(f".{end}" for end in LOCAL)
SCHEMES = ("http", "https", "ws", "wss")
"""Schemes of the server's own pages and clients."""
EXPOSED = (
    "X-Request-Id",
    "X-Response-Text",
    "Retry-After",
    "Location",
    "Preference-Applied",
    "Content-Disposition",
    "Content-Length",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)
"""Response headers that pages of allowed origins may read, beside CORS's own list."""
NAMES = 64
"""Host names that are remembered: a client sends the same one again and again."""
MAX_NAME = 200
"""Characters of a name that a refusal repeats."""


class OriginPolicy:
    """Middleware: refuses pages of foreign origins (403) and host names that are not the server's (421)."""

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self._allowed = frozenset(config.allow_origin)
        binds = (bind.rpartition("=")[2].rpartition(":")[0] for bind in config.bind)
        sites = (_name(origin.partition("://")[2]) for origin in config.allow_origin if origin.startswith("http"))
        self._names = {name.lower() for name in (socket.gethostname(), config.host, *binds, *sites) if name}
        self._app = app
        if config.allow_origin:
            self._app = CORSMiddleware(
                app,
                allow_origins=config.allow_origin,
                allow_methods="*",
                allow_headers="*",
                expose_headers=EXPOSED,
                allow_private_network=True,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope, Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refuse(refusal, scope, Inbox(receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The response that refuses a request; None where it is allowed."""
        host = headers.get("host", "")
        if "*" in self._allowed:
            return None
        if host and not self._is_ours(_name(host)):
            add_log_note(scope, f"refused: Host {host[:MAX_NAME]}")
            return error_response(scope["path"], 421, _not_ours(host[:MAX_NAME]), "host_not_allowed")
        if not _acts(scope, headers) or self._is_own(headers, host):
            return None
        origin = headers.get("origin", "")[:MAX_NAME]
        add_log_note(scope, f"refused: Origin {origin or 'of another site'}")
        return error_response(scope["path"], 403, _foreign(origin), "origin_not_allowed")

    def _is_own(self, headers: Headers, host: str) -> bool:
        """Whether the request comes from a program, from our own page or from one of an allowed origin."""
        site, origins = headers.get("sec-fetch-site"), headers.getlist("origin")
        if site == "same-origin":  # set by the browser; pages cannot change it
            return True
        if not origins:
            return site in (None, "none")
        return all(origin in self._allowed or _same(origin, host) for origin in origins)

    def _is_ours(self, name: str) -> bool:
        """Whether no foreign web page can have the host name: it is an address, local, or configured."""
        return "." not in name or name in self._names or name.endswith(LOCAL_ENDS) or _ip(name)


def _acts(scope: Scope, headers: Headers) -> bool:
    """Whether a request does more than read, or is a preflight for one that does."""
    if scope["type"] == "websocket" or scope["method"] not in READS:
        return True
    return bool(scope["method"] == "OPTIONS" and "access-control-request-method" in headers)


def _not_ours(host: str) -> str:
    return (
        f"this server is not called {host!r}; ask for its address or the name of its machine, or start it with "
        f"--allow-origin http://{host} to give it that name"
    )


def _foreign(origin: str) -> str:
    if not origin:
        return "a page of another site sent this; its origin has to be allowed with --allow-origin"
    if origin == "null":
        return (
            "pages without an origin (Origin: null: a file, a sandboxed frame) may not use this server; "
            "start it with --allow-origin null to let them"
        )
    return f"pages of {origin} may not use this server; start it with --allow-origin {origin} to let them"


@lru_cache(NAMES)
def _name(host: str) -> str:
    """The host name of a Host header, without its port, brackets and last dot."""
    return re.sub(r":\d*$", "", host).lower().strip("[]").removesuffix(".")


@lru_cache(NAMES)
def _ip(name: str) -> bool:
    """Whether a name is an IP address, also in the short forms that browsers accept (127.1)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        try:
            socket.inet_aton(name)
        except OSError:
            return False
    return True


def _same(origin: str, host: str) -> bool:
    """Whether an Origin is the request's Host. The scheme may differ, as a proxy may have changed it."""
    scheme, _, place = origin.lower().partition("://")
    return scheme in SCHEMES and _bare(place) == _bare(host.lower())


def _bare(place: str) -> str:
    """HOST or HOST:PORT without the default port of a scheme."""
    return next((place.removesuffix(port) for port in PORTS.values() if place.endswith(port)), place)
