"""Qwen3-TTS's rows with small weights, beside the scripted engines. $SPEECHMLX_CATALOG names `extend`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from support import scripted

from speechmlx.models.spec import Catalog, IndexFiles

SOURCES = {"qwen3-tts-0.6b-customvoice": "custom", "qwen3-tts-0.6b-base": "base"}


def custom(files: Path, folder: Path) -> None:
    _write(folder, "custom_voice")


def base(files: Path, folder: Path) -> None:
    _write(folder, "base")


def _write(folder: Path, kind: str) -> None:
    from support import tiny_talker  # imports mlx

    tiny_talker.write(folder, kind)


def extend(catalog: Catalog) -> Catalog:
    """The scripted catalog, whose rows of Qwen3-TTS have a source that makes small weights."""
    extended = scripted.extend(catalog)
    rows = (
        dataclasses.replace(row, sources=(IndexFiles((), f"support.qwen3_tts_row:{SOURCES[row.name]}"),))
        if row.name in SOURCES
        else row
        for row in extended.rows
    )
    return dataclasses.replace(extended, rows=tuple(rows))
