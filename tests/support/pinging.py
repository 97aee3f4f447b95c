"""The scripted rows, in a server whose pings come often; named by SPEECHMLX_CATALOG."""

from __future__ import annotations

from support import scripted

from speechmlx import serve
from speechmlx.models.spec import Catalog


def extend(catalog: Catalog) -> Catalog:
    serve.PING_INTERVAL = 0.1
    return scripted.extend(catalog)
