"""The scripted models under a licence that forbids some uses. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

from dataclasses import replace

from support import scripted

from speechmlx.models.spec import Catalog

LICENCE = "CC-BY-NC-4.0: no commercial use"


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with the scripted models, which have the licence."""
    known = scripted.extend(catalog)
    limited = ("scripted", "talking-duplex")
    rows = (replace(row, licence=LICENCE) if row.name.startswith(limited) else row for row in known.rows)
    return replace(known, rows=tuple(rows))
