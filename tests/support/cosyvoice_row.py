"""CosyVoice's rows with small weights. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from speechmlx.models.spec import Catalog, IndexFiles

FIRSTS = {f"cosyvoice-300m{part}": f"first{part.replace('-', '_')}" for part in ("", "-sft", "-instruct")}
SOURCES = {
    name: f"support.cosyvoice_row:{function}"
    for name, function in {**FIRSTS, "cosyvoice2-0.5b": "second", "cosyvoice3-0.5b": "third"}.items()
}


def first(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice_first import write_first  # imports mlx

    write_first(folder)


def first_sft(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice_first import write_first

    write_first(folder, "cosyvoice1-sft")


def first_instruct(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice_first import write_first

    write_first(folder, "cosyvoice1-instruct")


def second(files: Path, folder: Path) -> None:
    from support.tiny_cosyvoice import write_folder

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
