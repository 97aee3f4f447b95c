"""API keys: where clients put them, and the middleware that refuses requests without one."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import add_log_note, request_id

SCHEMES = ("bearer", "token")
"""Schemes of the header Authorization, and names of subprotocols that stand before a key."""
SUBPROTOCOL = "openai-insecure-api-key."
QUERY = ("token", "api_key")
OPEN = ("/", "/health")
"""Paths that a browser or a monitor asks without a key. They show no data."""
OWN_REFUSAL = ("/asr", "/ws/transcribe")
"""Sockets whose protocol tells the client by itself that its key is wrong."""
REFUSED = "this server wants an API key: send 'Authorization: Bearer KEY' (or Token KEY, or ?token=KEY)"


class AccessKeys:
    """The keys of a server. Without keys everybody may use it."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def accepts(self, offered: Iterable[str]) -> bool:
        """Whether one of the offered keys is right, or none is needed. Takes the same time for every wrong key."""
        if not self._keys:
            return True
        matches = [hmac.compare_digest(key, candidate.encode()) for candidate in offered for key in self._keys]
        return any(matches)

    def allows(self, scope: Scope) -> bool:
        """Whether a request or a handshake has a key that is right, or needs none."""
        return self.accepts(offered_keys(scope))


def offered_keys(scope: Scope) -> Iterator[str]:
    """The keys in the headers, the query and the subprotocols of a request."""
    headers = Headers(scope=scope)
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() in SCHEMES:
        yield key.strip()
    if "x-api-key" in headers:
        yield headers["x-api-key"]
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    for name in QUERY:
        yield from query.get(name, ())
    before = ""
    for name in scope.get("subprotocols") or ():
        if name.startswith(SUBPROTOCOL):
            yield name.removeprefix(SUBPROTOCOL)
        elif before.lower() in SCHEMES:
            yield name
        before = name


class RequireKey:
    """Middleware: refuses requests and handshakes without a right key (401), but for OPEN and OWN_REFUSAL."""

    def __init__(self, app: ASGIApp, keys: AccessKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_open(scope) or self._keys.allows(scope):
            await self._app(scope, receive, send)
            return
        add_log_note(scope, "refused: no right API key")
        own = {"dg-error": REFUSED, "dg-request-id": request_id(scope), "WWW-Authenticate": "Bearer"}
        answer = error_response(scope["path"], 401, REFUSED, "invalid_api_key", own)
        if scope["type"] == "http":
            await refuse(answer, scope, Inbox(receive), send)
        else:
            await answer(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        path = scope["path"]
        if scope["type"] == "websocket":
            return path in OWN_REFUSAL
        return (path in OPEN and scope["method"] in ("GET", "HEAD")) or scope["method"] == "OPTIONS"
