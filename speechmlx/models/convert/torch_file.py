"""Reads a PyTorch checkpoint with numpy. The pickle may refer to tensors only, so that it cannot run code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.weights import Array
from speechmlx.models.spec import SourceFailed

STORAGES: dict[str, type[np.generic]] = {
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": np.uint16,
    "DoubleStorage": np.float64,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read(path: Path) -> Any:
    """The object saved in `path`, its tensors as arrays (bfloat16 widened to float32). Raises SourceFailed."""
    try:
        with zipfile.ZipFile(path) as archive:
            index = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
            if index is None:
                raise SourceFailed(f"{path.name} is not a PyTorch checkpoint")
            root = index.removesuffix("data.pkl")
            return _Tensors(io.BytesIO(archive.read(index)), lambda key: archive.read(f"{root}data/{key}")).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, KeyError) as error:
        raise SourceFailed(f"{path.name} is not a PyTorch checkpoint we read: {error}") from error


class _Tensors(pickle.Unpickler):
    """Knows the storages, the tensor rebuilders and OrderedDict; every other global is refused."""

    def __init__(self, file: io.BytesIO, storage: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self.storage = storage
        self.read: dict[str, Array] = {}

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "torch", _ if name in STORAGES:
                return name
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case "torch._utils", "_rebuild_parameter":
                return _parameter
            case "collections", "OrderedDict":
                return OrderedDict
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Array:
        _, storage, key, _, count = pid
        if key not in self.read:
            values = np.frombuffer(self.storage(key), STORAGES[storage], count=count)
            wide = (values.astype(np.uint32) << 16).view(np.float32) if storage == "BFloat16Storage" else values
            self.read[key] = wide
        return self.read[key]


def _tensor(storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Array:
    """Copy a strided view; `stride` is in elements. Raises UnpicklingError if the view exceeds the storage."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset
    if offset < 0 or any(step < 0 for step in stride) or last >= max(len(storage), 1):
        raise pickle.UnpicklingError("a tensor reaches outside its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.array(np.lib.stride_tricks.as_strided(storage[offset:], size, strides))


def _parameter(tensor: Array, *_: object) -> Array:
    return tensor
