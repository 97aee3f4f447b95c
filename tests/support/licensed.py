"""The scripted models under a licence that forbids some uses. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

from dataclasses import replace

from support import scripted

from speechmlx.models.spec import Catalog

LICENCE = "CC-BY-NC-4.0: no commercial use"


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with the scripted models, all of which have the licence."""
    known = scripted.extend(catalog)
    rows = (replace(row, licence=LICENCE) if row.name.startswith("scripted") else row for row in known.rows)
    return replace(known, rows=tuple(rows))
