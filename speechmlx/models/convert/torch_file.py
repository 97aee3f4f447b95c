"""Reads a PyTorch checkpoint with numpy. The pickle may refer to tensors only, so that it cannot run code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from speechmlx import torch_tensors
from speechmlx.models.archive import SMALL
from speechmlx.models.convert.weights import check_zip, reading

SHARED = 4
"""How much larger all tensors together may be than the file: some share a storage, and bfloat16 is widened."""


def read(path: Path) -> Any:
    """The object saved in `path`, its tensors as arrays (bfloat16 widened to float32). Raises SourceFailed."""
    with reading(path, "a PyTorch checkpoint"), zipfile.ZipFile(path) as archive:
        check_zip(path, archive)
        return torch_tensors.load(archive, SHARED * path.stat().st_size + SMALL)
