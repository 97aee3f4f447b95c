"""Conversions for hub repositories in MLX's layout: files are linked, not copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from speechmlx.models.convert.weights import MAX_JSON, check_tensors
from speechmlx.models.spec import SourceFailed


def as_it_is(files: Path, folder: Path) -> None:
    """Link each file under its own name. Hidden top-level files and folders are left out."""
    for path in sorted(files.rglob("*")):
        name = path.relative_to(files)
        if path.is_file() and not name.parts[0].startswith("."):
            link(path, folder / name)


def one_weights_file(files: Path, folder: Path) -> None:
    """Link each file under its own name, except the single top-level .safetensors file, as model.safetensors."""
    weights = sorted(files.glob("*.safetensors"))
    if len(weights) != 1:
        raise SourceFailed(f"has {len(weights)} files of weights, not one")
    as_it_is(files, folder)
    (folder / weights[0].name).rename(folder / "model.safetensors")


def link(path: Path, target: Path) -> None:
    """Hard-link `path` to `target`. Copies it if the file system cannot link.

    Raises SourceFailed for weights and JSON files that are not what their names say: engines read them as they are.
    """
    if path.suffix == ".safetensors":
        check_tensors(path)
    elif path.suffix == ".json" and path.stat().st_size > MAX_JSON:
        raise SourceFailed(f"{path.name} has {path.stat().st_size} bytes; a JSON file may have {MAX_JSON}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
