"""CosyVoice's rows with small weights. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from speechmlx.models.spec import Catalog, IndexFiles

SOURCES = {f"cosyvoice{number}-0.5b": f"support.cosyvoice_row:{name}" for number, name in ((2, "second"), (3, "third"))}


def second(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice import write_folder  # imports mlx

    from speechmlx.models.rows.speaking import COSYVOICE

    write_folder(folder, COSYVOICE.names)


def third(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice import write_folder

    from speechmlx.engines.cosyvoice.generation import THIRD

    write_folder(folder, (), THIRD)


def extend(catalog: Catalog) -> Catalog:
    """`catalog`, whose rows of CosyVoice have a source that makes small weights."""
    rows = (
        dataclasses.replace(row, sources=(IndexFiles((), SOURCES[row.name]),)) if row.name in SOURCES else row
        for row in catalog.rows
    )
    return dataclasses.replace(catalog, rows=tuple(rows))
