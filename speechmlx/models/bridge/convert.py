"""Makes the folder of a bridged model: the files that hold no code, as they are, and bridge.json.

`getattr(convert, "stt.parakeet")` is the conversion for that family, as rows name it.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.bridge import families
from speechmlx.models.bridge.families import Family
from speechmlx.models.bridge.identify import rate_of
from speechmlx.models.convert.hub import link
from speechmlx.models.convert.weights import check_zip, read_json, reading
from speechmlx.models.spec import SourceFailed

PATTERNS = (
    "*.json", "*.safetensors", "*.txt", "*.model", "*.tiktoken", "*.jinja", "*.jsonl", "*.yaml", "*.npz",
)  # fmt: skip
"""Files that a family may need, and that hold data alone."""
BRIDGE = "bridge.json"


def __getattr__(name: str) -> Callable[[Path, Path], None]:
    part, dot, family = name.partition(".")
    if not dot or families.find(part, family) is None:
        raise AttributeError(name)
    return partial(convert, part, family)


def convert(part: str, name: str, files: Path, folder: Path) -> None:
    """Link what PATTERNS allow from `files` to `folder`. Raises SourceFailed for files that want to run code."""
    for path in sorted(files.rglob("*")):
        inside = path.relative_to(files)
        if not path.is_file() or inside.parts[0].startswith(".") or not _wanted(path.name):
            continue
        if path.suffix == ".json" and b'"auto_map"' in path.read_bytes():
            raise SourceFailed(f"{str(inside)!r} names code of its own (auto_map), which this server does not run")
        if path.suffix == ".npz":
            _check_arrays(path)
        link(path, folder / inside)
    family = families.find(part, name)
    assert family is not None
    (folder / BRIDGE).write_text(about(family, read_json(files / "config.json")))


def about(family: Family, config: Mapping[str, Any]) -> str:
    """The text of bridge.json: what the engine must know of the family."""
    told = {"part": family.part, "family": family.name, "rate": rate_of(family, config)}
    return json.dumps({**told, "streams": family.works in ("streams", "batch")})


def _wanted(name: str) -> bool:
    return name != "manifest.json" and name != BRIDGE and any(fnmatch.fnmatch(name, pattern) for pattern in PATTERNS)


def _check_arrays(path: Path) -> None:
    """Raises SourceFailed for an archive of arrays that holds Python objects, or unpacks to much more than its size."""
    import zipfile

    with reading(path, "an archive of arrays"):
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive)
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                arrays[name]
