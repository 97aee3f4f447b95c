"""Reads a PyTorch checkpoint with numpy. The pickle may refer to tensors only, so that it cannot run code."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from speechmlx import torch_tensors
from speechmlx.models.archive import SMALL
from speechmlx.models.convert.weights import check_zip, reading

OLD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""Begins a file as PyTorch wrote them before version 1.6."""
SHARED = 4
"""How much larger all tensors together may be than the file: some share a storage, and bfloat16 is widened."""


def read(path: Path) -> Any:
    """The object saved in `path`, its tensors as arrays (bfloat16 widened to float32). Raises SourceFailed."""
    limit = SHARED * path.stat().st_size + SMALL
    with reading(path, "a PyTorch checkpoint"), path.open("rb") as file:
        is_old = file.read(len(OLD)) == OLD
        file.seek(0)
        if is_old:
            return torch_tensors.load_old(file, limit)
        with zipfile.ZipFile(file) as archive:
            check_zip(path, archive)
            return torch_tensors.load(archive, limit)
