"""Weights made from their names: a reference implementation and ours compute with the same ones; none are stored."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shapes = Mapping[str, Sequence[int]]


def read_json_gz(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


def made(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """The weights of a name in CosyVoice 2 and 3."""
    named_norm = "norm" in name or "_ln" in name or ".bn" in name
    return _made(name, shape, name.endswith("weight") and named_norm and "linear" not in name)


def first_made(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """The weights of a name in CosyVoice 1."""
    return _made(name, shape, name.endswith("weight") and len(shape) == 1)


def _made(name: str, shape: Sequence[int], is_norm: bool) -> NDArray[np.float32]:
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape)).astype(np.float32) * 0.05
    if "classifier" in name:  # pitches on both sides of what is voiced
        return values * 400 + (14 if name.endswith("bias") else 0)
    if name.endswith("running_var"):
        return np.abs(values) + 1
    return values + np.float32("original0" in name or "alpha" in name or is_norm)


def checkpoint(shapes: Shapes) -> dict[str, NDArray[np.float32]]:
    """All tensors of a small network, under the names of its authors."""
    return {name: made(name, shape) for name, shape in shapes.items()}


def numbers(seed: int, *shape: int) -> NDArray[np.float32]:
    """Normal numbers, as the scripts of scripts/parity draw them."""
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
