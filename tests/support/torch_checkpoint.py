"""Files as torch.save makes them, written without torch."""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np


class Global:
    """Pickles as the global `module.name`, called with `args`."""

    def __init__(self, module: str, name: str, *args: object) -> None:
        self.module, self.name, self.args = module, name, args


class Storage:
    """Pickles as a torch storage: a persistent id."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.pid = ("storage", Name("torch", kind), key, "cpu", count)


class Name:
    """Pickles as the bare global `module.name`."""

    def __init__(self, module: str, name: str) -> None:
        self.text = f"c{module}\n{name}\n".encode()


class Writer(pickle._Pickler):
    """Writes what torch.save writes, without torch."""

    def persistent_id(self, value: object) -> object:
        return value.pid if isinstance(value, Storage) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Name):
            self.write(value.text)  # type: ignore[attr-defined]
        elif isinstance(value, Global):
            self.save(Name(value.module, value.name))
            self.save(value.args)
            self.write(pickle.REDUCE)  # type: ignore[attr-defined]
        else:
            super().save(value, save_persistent_id)  # type: ignore[misc]


def checkpoint(path: Path, value: object, storages: Mapping[str, bytes]) -> Path:
    """A file as torch.save makes it."""
    data = io.BytesIO()
    Writer(data, protocol=2).dump(value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        for key, content in storages.items():
            archive.writestr(f"archive/data/{key}", content)
    return path


def tensor(kind: str, key: str, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Global:
    """A view of a storage, as torch pickles it."""
    return Global(
        "torch._utils", "_rebuild_tensor_v2", Storage(kind, key, count), offset, size, stride, False, OrderedDict()
    )


def save_tensors(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Path:
    """A checkpoint of float32 arrays by their names."""
    return saved_tensors(path, arrays, lambda named: named)


def saved_tensors(
    path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], wrap: Callable[[OrderedDict[str, object]], object]
) -> Path:
    """A checkpoint of what `wrap` makes of the float32 arrays by their names."""
    named, storages = _pickled(arrays)
    return checkpoint(path, wrap(named), storages)


def save_old_tensors(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Path:
    """As `save_tensors`, as PyTorch did it before version 1.6."""
    named, storages = _pickled(arrays)
    data = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, named, list(storages)):
        Writer(data, protocol=2).dump(value)
    for content in storages.values():
        data.write(struct.pack("<q", len(content) // 4) + content)
    path.write_bytes(data.getvalue())
    return path


def _pickled(arrays: Mapping[str, np.ndarray[Any, Any]]) -> tuple[OrderedDict[str, object], dict[str, bytes]]:
    named: OrderedDict[str, object] = OrderedDict()
    storages = {}
    for number, (name, array) in enumerate(arrays.items()):
        sizes = [*array.shape[1:], 1]
        stride = tuple(accumulate(reversed(sizes), lambda a, b: a * b))[::-1] if array.ndim else ()
        named[name] = tensor("FloatStorage", str(number), math.prod(array.shape), 0, array.shape, stride)
        storages[str(number)] = np.ascontiguousarray(array, np.float32).tobytes()
    return named, storages
