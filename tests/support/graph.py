"""Counts the kernels that MLX would launch for arrays that are not computed yet."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

import mlx.core as mx

VIEWS = {"Broadcast", "BroadcastAxes", "ExpandDims", "Flatten", "Reshape", "Slice", "Split", "Squeeze", "Transpose"}
VIEWS |= {"AsStrided", "Depends", "Unflatten", "View"}
"""Operations that only look at memory in another way."""


def kernels(*arrays: mx.array) -> Counter[str]:
    """The number of operations by name; a compiled function is one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.dot"
        mx.export_to_dot(str(path), *arrays)
        names = re.findall(r'label ?= ?"([^"]*)", shape=rectangle', path.read_text())
    return Counter(name for name in names if name not in VIEWS)
