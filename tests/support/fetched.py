"""Weights of scripted models as their fetch leaves them. A fetch by a server starts a process: a second of work."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from support import scripted, scripted_cascade

from speechmlx.models import store
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Catalog

UNFETCHED = {"scripted-big"}
"""Models that tests see being fetched."""


@cache
def _fetched(extend: Callable[[Catalog], Catalog]) -> tempfile.TemporaryDirectory[str]:
    """A cache folder with the models of a catalog that are made of nothing; it goes with this process."""
    folder = tempfile.TemporaryDirectory()
    for row in extend(CATALOG).rows:
        if row.sources == scripted.ROW.sources and row.name not in UNFETCHED:
            store.fetch(row, Path(folder.name))
    return folder


def fill(folder: Path, extend: Callable[[Catalog], Catalog] = scripted_cascade.extend) -> Path:
    """Put those of the catalog that `extend` makes into a cache folder, unless it is there. Returns the folder."""
    if not folder.exists():
        shutil.copytree(_fetched(extend).name, folder)
    return folder
