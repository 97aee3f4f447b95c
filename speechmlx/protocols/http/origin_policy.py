"""Who may talk to the server: web pages of its own and of the origins that were allowed, and every program.

Browsers tell whose page is asking, in Origin or Sec-Fetch-Site; programs send neither. A foreign page's requests that
only read are answered, without the CORS headers that would let the page see the answer; all others are refused. A page
that gave its own name this machine's address (DNS rebinding) betrays itself by the Host header: all is refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.config import PORTS, Config
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import add_log_note

READS = ("GET", "HEAD", "OPTIONS")
"""Methods of routes that only read; a test looks at every GET."""
LOCAL = ("localhost", "local", "internal", "home.arpa")
"""Last parts of names that the public DNS never gives."""
SCHEMES = ("http", "https", "ws", "wss")
"""Of pages and clients at the server's own address."""
EXPOSED = ("X-Request-Id", "X-Response-Text", "Retry-After", "Content-Disposition", "Content-Length")
"""Headers that pages of allowed origins may read, besides those that every page may."""
CUT = 200
"""Characters of a name that a refusal repeats."""


class OriginPolicy:
    """Middleware that refuses pages of foreign origins (403) and names that are not the server's (421)."""

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
        """The answer to who may not ask; None for everybody else."""
        host = headers.get("host", "")
        if "*" in self._allowed:
            return None
        if host and not self._is_ours(_name(host)):
            add_log_note(scope, f"refused: Host {host[:CUT]}")
            return error_response(scope["path"], 421, _not_ours(host[:CUT]), "host_not_allowed")
        if not _costs(scope, headers) or self._is_own(headers, host):
            return None
        origin = headers.get("origin", "")[:CUT]
        add_log_note(scope, f"refused: Origin {origin or 'of another site'}")
        return error_response(scope["path"], 403, _foreign(origin), "origin_not_allowed")

    def _is_own(self, headers: Headers, host: str) -> bool:
        """Whether a program asks, a page of ours or one that is allowed."""
        site, origins = headers.get("sec-fetch-site"), headers.getlist("origin")
        if site == "same-origin":  # by the browser's word, which no page can change
            return True
        if not origins:
            return site in (None, "none")
        return all(origin in self._allowed or _same(origin, host) for origin in origins)

    def _is_ours(self, name: str) -> bool:
        """Whether no web page elsewhere can have that name: an address, a local name, or one we were given."""
        return "." not in name or name in self._names or name.endswith(tuple(f".{end}" for end in LOCAL)) or _ip(name)


def _costs(scope: Scope, headers: Headers) -> bool:
    """Whether it does more than read, or asks leave to."""
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


def _name(host: str) -> str:
    """The name in a Host header, without port, brackets and last dot."""
    return re.sub(r":\d*$", "", host).lower().strip("[]").removesuffix(".")


def _ip(name: str) -> bool:
    """Whether it is an address, also in the short forms that browsers take (127.1)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        try:
            socket.inet_aton(name)
        except OSError:
            return False
    return True


def _same(origin: str, host: str) -> bool:
    """Whether an Origin is that of the Host asked for, whose scheme a proxy may have changed."""
    scheme, _, place = origin.lower().partition("://")
    return scheme in SCHEMES and _bare(place) == _bare(host.lower())


def _bare(place: str) -> str:
    """HOST or HOST:PORT without a port that some scheme implies."""
    return next((place.removesuffix(port) for port in PORTS.values() if place.endswith(port)), place)
