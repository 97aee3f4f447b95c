"""Which server a verb uses, if any: the one that it was told, else one that answers at the configured port."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from speechmlx.config import Config
from speechmlx.errors import BadRequest, Unavailable

KEY_VARIABLE = "SPEECHMLX_API_KEY"
NONE = "none"
"""The value of --server with which no server is used."""
PROBE_SECONDS = 1.0
"""Seconds in which a server on this machine answers."""
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
"""Addresses that servers bind, and where they answer then."""


@dataclass(frozen=True)
class ServerAddress:
    """Where a server answers, and how it is asked."""

    url: str
    key: str | None = None
    context: ssl.SSLContext | None = field(default=None, compare=False)
    """What its certificate is checked with; None: as any other."""

    @property
    def headers(self) -> dict[str, str]:
        """Those of each request."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


def find_server(asked: str | None, config: Config, environment: Mapping[str, str]) -> ServerAddress | None:
    """The server to use; None: there is none. The `asked` one gets the key of the environment alone, not the file's.

    Raises BadRequest for what is no address, and Unavailable where no server answers at the `asked` one.
    """
    if asked == NONE:
        return None
    if asked is not None:
        key = environment.get(KEY_VARIABLE, "").split(",")[0].strip()
        server = ServerAddress(checked_url(asked), key or None)
        if (trouble := probe(server, timeout=30)) is not None:
            raise Unavailable(f"no audio-server answers at {server.url}: {trouble}")
        return server
    if config.port == 0:
        return None
    server = own_server(config, config.api_key[0] if config.api_key else None)
    return server if probe(server, timeout=PROBE_SECONDS) is None else None


def own_server(config: Config, key: str | None) -> ServerAddress:
    """Where the server of these settings answers, on this machine."""
    host = ANYWHERE.get(config.host, config.host)
    host = f"[{host}]" if ":" in host else host
    secure = config.tls_self_signed or config.tls_cert is not None
    return ServerAddress(f"{'https' if secure else 'http'}://{host}:{config.port}", key, _own_context(secure))


def checked_url(text: str) -> str:
    """The address of a server, without a slash at its end. Raises BadRequest."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise BadRequest(
            f"{text!r:.200} is not the address of a server; write it like http://127.0.0.1:8080, or {NONE}"
        )
    return text.rstrip("/")


def probe(server: ServerAddress, timeout: float) -> str | None:
    """None where our server answers; else what does not fit."""
    import httpx

    try:
        with httpx.Client(trust_env=False, timeout=timeout, verify=server.context or True) as client:
            answer = client.get(f"{server.url}/health")  # without the key: it may be another program
            found: Any = answer.json()
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    except ValueError:
        return "what answers there is another program"
    if not isinstance(found, dict) or "engine" not in found:
        return "what answers there is another program"
    return None


def _own_context(secure: bool) -> ssl.SSLContext | None:
    """Our own server's certificate may be for other names than 127.0.0.1, and may be its own: it is not checked."""
    if not secure:
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
