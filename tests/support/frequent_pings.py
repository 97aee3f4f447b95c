"""scripted.py's catalog for a server that pings each WebSocket ten times a second."""

from __future__ import annotations

from support import scripted

from speechmlx import serve
from speechmlx.models.spec import Catalog


def extend(catalog: Catalog) -> Catalog:
    """Shorten the server's ping interval; SPEECHMLX_CATALOG names this function."""
    serve.PING_INTERVAL = 0.1
    return scripted.extend(catalog)
