"""Reads the folder of a model in slices, so that loading does not delay running models."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx

from speechmlx.errors import ModelUnavailable
from speechmlx.types import Progress

SLICE = 32 * 1024 * 1024
"""Bytes read in one step: about 40 ms from the disk cache, with a cast from float16 to float32."""


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json of a model's folder. Raises ModelUnavailable if there is none."""
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"the model folder {folder.name!r} has no readable config.json: {error}") from error
    return config


def read_weights(folder: Path) -> dict[str, mx.array]:
    """All tensors of a folder's safetensors files, lazily: none is in memory yet."""
    weights: dict[str, mx.array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        loaded: dict[str, mx.array] = mx.load(str(path))  # type: ignore[assignment]
        weights |= loaded
    if not weights:
        raise ModelUnavailable(f"the model folder {folder.name!r} has no .safetensors file")
    return weights


def settle(
    weights: Mapping[str, mx.array], dtype: mx.Dtype | None = None
) -> Generator[Progress, None, dict[str, mx.array]]:
    """Evaluate `weights` slice by slice, floating ones cast to `dtype`, and return them. Progress is in bytes."""
    total = sum(array.nbytes for array in weights.values())
    done, pending, settled = 0, [], {}
    for name, array in weights.items():
        done += array.nbytes
        if dtype is not None and mx.issubdtype(array.dtype, mx.floating):
            array = array.astype(dtype)
        settled[name] = array
        pending.append(array)
        if sum(item.nbytes for item in pending) >= SLICE:
            mx.eval(pending)
            pending = []
            yield Progress("load", done, total)
    mx.eval(pending)
    yield Progress("load", done, total)
    return settled
