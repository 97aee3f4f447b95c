"""A row of a speech-to-speech model in a folder of this machine. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

import os
from dataclasses import replace

from speechmlx.models.spec import Catalog, LocalFiles


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with PersonaPlex's row, whose weights are in the folder that $TINY_MOSHI names."""
    source = LocalFiles(os.environ["TINY_MOSHI"], "speechmlx.models.convert.hub:as_it_is", "1")
    known = catalog.resolve("personaplex")
    row = replace(known, name="tiny-s2s", aliases=(), sources=(source,), size=1, memory=1, narrow=1)
    return replace(catalog, rows=(*catalog.rows, row))
