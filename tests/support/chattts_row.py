"""ChatTTS's row with small weights. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

from speechmlx.models.spec import Catalog, IndexFiles

ENGINE = "speechmlx.engines.chattts:load"


def small(files: Path, folder: Path) -> None:
    from support.tiny_chattts import write_files

    from speechmlx.models.convert import chattts

    with TemporaryDirectory() as home:
        chattts.convert(write_files(Path(home)), folder)


def extend(catalog: Catalog) -> Catalog:
    """`catalog`, whose row of ChatTTS has a source that makes small weights."""
    source = IndexFiles((), "support.chattts_row:small")
    rows = (dataclasses.replace(row, sources=(source,)) if row.engine == ENGINE else row for row in catalog.rows)
    return dataclasses.replace(catalog, rows=tuple(rows))
