"""A tiny model, for catalogs of tests: `extend` adds its rows in whatever process $SPEECHMLX_CATALOG names it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from pathlib import Path

import numpy as np
from unit.models.package_index import MEMBER, WEIGHTS

from speechmlx.models.convert.weights import write
from speechmlx.models.spec import Catalog, HubFiles, IndexFiles, Model, PackageFile
from speechmlx.types import Kind

FILE = PackageFile("tiny-model", "1.0", MEMBER, hashlib.sha256(WEIGHTS).hexdigest(), "weights.bin")
INDEX = IndexFiles((FILE,), "unit.models.tiny:convert")
HUB = HubFiles("tests/tiny", "0123456789abcdef0123456789abcdef01234567", ("config.json", "*.safetensors"))


def row(*sources: HubFiles | IndexFiles, name: str = "tiny") -> Model:
    """A row that comes from `sources`."""
    engine = "speechmlx.engines.silero:load"
    return Model(
        name=name, kind=Kind.VAD, engine=engine, sources=sources, size=1_048_954, memory=1, rate=16000, licence="MIT"
    )


TINY = row(INDEX)


def convert(files: Path, folder: Path) -> None:
    """`files`/weights.bin as one tensor. Waits half-way while $TINY_WAIT names a file that is there."""
    (folder / "half.json").write_text("{}")
    wait = Path(os.environ.get("TINY_WAIT", "/nonexistent"))
    if wait.exists():
        wait.with_suffix(".reached").touch()
    while wait.exists():
        time.sleep(0.02)
    (folder / "half.json").unlink()
    write(folder, {"made": "here"}, {"weights": np.fromfile(files / "weights.bin", np.uint8)})


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with rows that come from the index, from the hub, and from the hub or else the index."""
    rows = (TINY, row(HUB, name="tiny-hub"), row(HUB, INDEX, name="tiny-both"))
    return dataclasses.replace(catalog, rows=(*catalog.rows, *rows))
