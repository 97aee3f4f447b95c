"""Writes the folder of a model (config.json and model.safetensors) and reads tensors."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from speechmlx.models.archive import check_ratio
from speechmlx.models.spec import SourceFailed

Array = NDArray[Any]
Weights = dict[str, Array]

MAX_JSON = 64 << 20
"""Bytes of a JSON file: tokenizers have up to 20 MB."""


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Whatever reading a hostile file raises becomes a SourceFailed that names it. Errors of the disk stay."""
    try:
        yield
    except SourceFailed:
        raise
    except Exception as error:  # RecursionError, MemoryError, ZeroDivisionError, struct.error, ...
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise SourceFailed(f"{path.name} is not {kind} we read: {str(error) or type(error).__name__}") from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises SourceFailed."""
    with reading(path, "a JSON file"):
        if (size := path.stat().st_size) > MAX_JSON:
            raise SourceFailed(f"{path.name} has {size} bytes; a JSON file may have {MAX_JSON}")
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise SourceFailed(f"{path.name} is not a JSON object")
        return value


def check_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises SourceFailed where the files in a zip archive come to much more than its size."""
    check_ratio(path, sum(entry.file_size for entry in archive.infolist()))


def check_scale(values: Array, scale: Array, axis: int) -> None:
    """Raises ValueError where a scale has neither one value nor one per index of `axis`."""
    if scale.size != 1 and (not -values.ndim <= axis < values.ndim or scale.size != values.shape[axis]):
        raise ValueError(f"a scale has {scale.size} values for a tensor of shape {values.shape}")


def write(folder: Path, config: Mapping[str, Any], weights: Weights) -> None:
    """Write `config` to config.json and `weights` to model.safetensors in `folder`."""
    write_json(folder / "config.json", config)
    save_tensors(folder / "model.safetensors", weights)


def from_weight_norm(direction: Array, length: Array) -> Array:
    """A weight, float32, from its direction and its length for each index of the first axis, as torch divides them."""
    norms = np.sqrt(np.square(direction, dtype=np.float64).sum(axis=tuple(range(1, direction.ndim)), keepdims=True))
    scaled: Array = (direction * (length / norms)).astype(np.float32)
    return scaled


def save_tensors(path: Path, weights: Weights) -> None:
    """Write `weights` to a safetensors file, with MLX's format mark."""
    save_file({name: np.ascontiguousarray(w) for name, w in weights.items()}, path, metadata={"format": "mlx"})


def load_tensors(path: Path) -> Weights:
    """Read all tensors of a safetensors file. Raises SourceFailed if it is unreadable."""
    with reading(path, "a safetensors file"):
        return load_file(path)


def check_tensors(path: Path) -> None:
    """Raises SourceFailed where the header of a safetensors file is not what must be there. Reads no tensor."""
    with reading(path, "a safetensors file"), safe_open(path, framework="np"):
        pass


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
