"""Writes tensors in bfloat16, which numpy does not have."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.weights import Array, Weights


def save_bfloat16(path: Path, weights: Weights) -> None:
    """Write `weights`, any floating type, to a safetensors file in bfloat16, with MLX's format mark."""
    header: dict[str, Any] = {"__metadata__": {"format": "mlx"}}
    end = 0
    for name, array in weights.items():
        start, end = end, end + 2 * array.size
        header[name] = {"dtype": "BF16", "shape": list(array.shape), "data_offsets": [start, end]}
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(said)) + said)
        for array in weights.values():
            file.write(narrowed(array).tobytes())


def narrowed(array: Array) -> Array:
    """The upper 16 bits of float32, rounded to the nearest, and to an even one between two; NaN stays NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    kept: Array = np.where(np.isnan(bits.view(np.float32)), (bits >> 16) | 0x40, rounded).astype("<u2")
    return kept
