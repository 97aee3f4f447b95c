"""API keys: where clients put them, what each may open, and the middleware that refuses requests without one."""

from __future__ import annotations

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from speechmlx.key_file import MANAGE, METRICS, SCOPES, USE, KeyFile, NamedKey, digest
from speechmlx.log import current
from speechmlx.protocols.http.inbox import Inbox, refuse
from speechmlx.protocols.http.openai_errors import error_response
from speechmlx.protocols.http.request_id import add_log_note, request_id

SCHEMES = ("bearer", "token")
"""Schemes of the header Authorization, and names of subprotocols that stand before a key."""
SUBPROTOCOL = "openai-insecure-api-key."
QUERY = ("token", "api_key")
OPEN = ("/", "/docs", "/health", "/test_form.html", "/v1/cluster/auth")
"""Paths that a browser, a monitor or a client before its login asks without a key. They show no data."""
PAGE_FILES = "/web/"
"""Beginning of the paths of the pages' own files. The pages ask for a key when they get 401."""
OWN_REFUSAL = ("/asr", "/ws/transcribe")
"""Sockets whose protocol tells the client by itself that its key is wrong."""
LOGIN = "/token"
"""POST: the key is in the body, and its protocol refuses by itself."""
SECRETS = "/v1/realtime"
"""The socket that a client secret opens, and nothing else."""
MANAGEMENT = (
    ("POST", r"/v1/models"),
    ("POST", r"/v1/models/.+/(cancel|pull)"),
    ("DELETE", r"/v1/models/.+"),
    ("POST", r"/v1/model_registrations/[^/]+"),
    ("DELETE", r"/v1/model_registrations/.+"),
    ("POST", r"/load"),
    ("POST", r"/v1/audio/voices"),
    ("DELETE", r"/v1/audio/voices/[^/]+"),
    ("(GET|HEAD|POST|DELETE)", r"/v1/audio/voice_consents(/[^/]+)?"),
)
"""Method and path of what changes the server itself, or shows who agreed to what, as regular expressions. A test lists
every route."""
KEY = "speechmlx.key"
"""Key in the scope of the NamedKey that a request came with."""
MAX_OFFERED = 8
"""Keys of one request that are tried."""
MAX_SECRETS = 256
"""Client secrets that open the socket at once; the oldest end first."""
REFUSED = "this server wants an API key: send 'Authorization: Bearer KEY' (or Token KEY, or ?token=KEY)"


@dataclass(frozen=True)
class Expiry:
    """When something ends: at `at` (Unix seconds), or at `monotonic`, whichever clock says so first.

    So a wall clock that is set back lengthens nothing, and neither does a machine that sleeps.
    """

    at: int
    monotonic: float

    @classmethod
    def after(cls, seconds: int) -> Expiry:
        """In so many seconds from now."""
        return cls(int(time.time()) + seconds, time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return time.time() >= self.at or time.monotonic() >= self.monotonic


class AccessKeys:
    """The keys of a server: `keys` open all, those of `file` what their scopes say. Without any everybody may use it.

    A file that is there asks for keys, even if it has none.
    """

    def __init__(self, keys: Iterable[str], file: KeyFile | None = None) -> None:
        self._fixed = [NamedKey(f"api_key_{n}", digest(key), tuple(SCOPES)) for n, key in enumerate(keys, 1)]
        self._file = file
        self._secrets: OrderedDict[str, tuple[Expiry, str]] = OrderedDict()
        """By the SHA-256 of a client secret: when it ends, and the SHA-256 of its maker's key."""

    @property
    def needed(self) -> bool:
        """Whether clients must send a key."""
        return bool(self._fixed) or (self._file is not None and self._file.current() is not None)

    def find(self, offered: Iterable[str]) -> NamedKey | None:
        """The first of the keys that are right; takes the same time for every wrong one."""
        known = self._known()
        found = None
        for candidate in islice(offered, MAX_OFFERED):
            hashed = digest(candidate)
            matches = [key for key in known if hmac.compare_digest(key.sha256, hashed)]
            found = found or next(iter(matches), None)
        return found

    def accepts(self, offered: Iterable[str]) -> bool:
        """Whether one of the offered keys may use the server, or none is needed."""
        if not self.needed:
            return True
        found = self.find(offered)
        return found is not None and USE in found.scopes

    def allows(self, scope: Scope) -> bool:
        """Whether a request or a handshake has a key that may use the server, or needs none."""
        return self.accepts(offered_keys(scope))

    def lend(self, secret: str, ends: Expiry, maker: NamedKey) -> None:
        """Let `secret` open SECRETS until `ends`, while the key `maker` is there."""
        self._secrets[digest(secret)] = ends, maker.sha256
        while len(self._secrets) > MAX_SECRETS:
            self._secrets.popitem(last=False)

    def borrowed(self, offered: Iterable[str]) -> NamedKey | None:
        """The key whose maker lent one of the offered client secrets, if that has not ended."""
        for candidate in islice(offered, MAX_OFFERED):
            lent = self._secrets.get(digest(candidate))
            if lent is not None and not lent[0].is_over:
                _, maker = lent
                return next((key for key in self._known() if key.sha256 == maker), None)
        return None

    def _known(self) -> list[NamedKey]:
        return [*self._fixed, *((self._file.current() or ()) if self._file else ())]


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


def key_subprotocol(scope: Scope) -> str | None:
    """The name of the offered subprotocol that stands before a key: a browser wants one chosen, and never the key."""
    names = scope.get("subprotocols") or ()
    return next((name for name in names if name.lower() in SCHEMES), None)


def is_open(scope: Scope) -> bool:
    """Whether everybody may ask for the path of an HTTP request: it shows no data and costs nothing."""
    path: str = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (path in OPEN or path.startswith(PAGE_FILES))


def needed_scope(scope: Scope) -> str | None:
    """The scope that a key needs for a request; None where no key is asked for."""
    path, method = scope["path"], scope.get("method", "")
    if scope["type"] == "websocket":
        return None if path in OWN_REFUSAL else USE
    if method == "OPTIONS" or is_open(scope) or (path, method) == (LOGIN, "POST"):
        return None
    if path == "/metrics":
        return METRICS
    managed = any(re.fullmatch(verb, method) and re.fullmatch(pattern, path) for verb, pattern in MANAGEMENT)
    return MANAGE if managed else USE


class RequireKey:
    """Middleware: refuses requests and handshakes without a right key (401), or with one that may not do this (403).

    It stands behind NormalizedPaths: a second slash is no way around a scope.
    """

    def __init__(self, app: ASGIApp, keys: AccessKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] != "lifespan" and self._keys.needed:
            refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refuse(refusal, scope, Inbox(receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The response that refuses a request; None where it is allowed. Puts the request's key into the scope."""
        wanted, key = needed_scope(scope), self._keys.find(offered_keys(scope))
        if key is None and scope["type"] == "websocket" and scope["path"] == SECRETS:
            key = self._keys.borrowed(offered_keys(scope))
        if key is not None:
            scope[KEY] = key
            if (record := current()) is not None:
                record.key = key.name
        if wanted is None or (key is not None and wanted in key.scopes):
            return None
        own = {"dg-error": REFUSED, "dg-request-id": request_id(scope)}
        if key is None:
            add_log_note(scope, "refused: no right API key")
            own["WWW-Authenticate"] = "Bearer"
            return error_response(scope["path"], 401, REFUSED, "invalid_api_key", own)
        add_log_note(scope, f"refused: the key {key.name} has no scope {wanted}")
        message = (
            f"the key {key.name!r} may not do this: it has the scopes {', '.join(key.scopes)}, and this needs "
            f"{wanted!r} ({SCOPES[wanted]})"
        )
        return error_response(scope["path"], 403, message, "insufficient_scope", own | {"dg-error": message})
