"""A model of 1 MB for tests of fetching. $SPEECHMLX_CATALOG names `extend`, which adds its rows to the catalog."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from pathlib import Path

import numpy as np
from support.package_index import MEMBER, WEIGHTS

from speechmlx.models.convert.weights import write
from speechmlx.models.spec import Catalog, HubFiles, IndexFiles, Model, PackageFile
from speechmlx.types import Kind

FILE = PackageFile("tiny-model", "1.0", MEMBER, hashlib.sha256(WEIGHTS).hexdigest(), "weights.bin")
INDEX = IndexFiles((FILE,), "support.tiny_model:convert")
HUB = HubFiles("tests/tiny", "0123456789abcdef0123456789abcdef01234567", ("config.json", "*.safetensors"))


def row(*sources: HubFiles | IndexFiles, name: str = "tiny") -> Model:
    """A row of the catalog with these sources."""
    engine = "speechmlx.engines.silero:load"
    return Model(
        name=name, kind=Kind.VAD, engine=engine, sources=sources, size=1_048_954, memory=1, rate=16000, licence="MIT"
    )


TINY = row(INDEX)


def convert(files: Path, folder: Path) -> None:
    """Write `files`/weights.bin as one tensor. Waits in the middle while the file named by $TINY_WAIT exists."""
    (folder / "half.json").write_text("{}")
    wait = Path(os.environ.get("TINY_WAIT", "/nonexistent"))
    if wait.exists():
        wait.with_suffix(".reached").touch()
    while wait.exists():
        time.sleep(0.02)
    (folder / "half.json").unlink()
    write(folder, {"made": "here"}, {"weights": np.fromfile(files / "weights.bin", np.uint8)})


def extend(catalog: Catalog) -> Catalog:
    """`catalog` with three rows: one from the index, one from the hub, one from the hub or else the index."""
    rows = (TINY, row(HUB, name="tiny-hub"), row(HUB, INDEX, name="tiny-both"))
    return dataclasses.replace(catalog, rows=(*catalog.rows, *rows))
