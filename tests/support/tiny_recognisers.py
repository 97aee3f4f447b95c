"""The catalog in which recognisers that languages choose have tiny weights: folders in $TINY_RECOGNISERS."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from support import scripted

from speechmlx.models.catalog import Catalog
from speechmlx.models.spec import LocalFiles

FOLDERS = {
    "parakeet-tdt-0.6b-v3": "parakeet",
    "nemotron-3.5-asr-streaming-0.6b": "nemotron_asr",
    "qwen3-asr-1.7b-8bit": "qwen3_asr",
}
"""The family of each, which is the name of its folder."""


def extend(catalog: Catalog) -> Catalog:
    home = Path(os.environ["TINY_RECOGNISERS"])
    rows = [
        replace(row, sources=(LocalFiles(str(home / family), f"speechmlx.models.bridge.convert:stt.{family}", "1"),))
        if (family := FOLDERS.get(row.name))
        else row
        for row in scripted.extend(catalog).rows
    ]
    return replace(catalog, rows=tuple(rows))


if __name__ == "__main__":
    from support import tiny_bridge

    for family in FOLDERS.values():
        tiny_bridge.write(f"stt/{family}", Path(sys.argv[1]) / family)
