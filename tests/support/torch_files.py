"""Writes tensors as torch.save does, without torch."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def save(path: Path, tensors: Mapping[str, Any]) -> Path:
    """A checkpoint of float32 tensors by name; a mapping of tensors may have a name as well."""
    storages: list[NDArray[np.float32]] = []
    pickled = b"\x80\x02" + _mapping(tensors, storages) + b"."
    with zipfile.ZipFile(path, "w") as archive:
        for number, tensor in enumerate(storages):
            archive.writestr(f"archive/data/{number}", np.ascontiguousarray(tensor, "<f4").tobytes())
        archive.writestr("archive/data.pkl", pickled)
    return path


def _mapping(values: Mapping[str, Any], storages: list[NDArray[np.float32]]) -> bytes:
    """A dictionary; its tensors are added to `storages`."""
    pickled = _EMPTY + b"("
    for name, value in values.items():
        pickled += _text(name)
        if isinstance(value, Mapping):
            pickled += _mapping(value, storages)
        else:
            pickled += _tensor(str(len(storages)), value)
            storages.append(value)
    return pickled + b"u"


_EMPTY = b"ccollections\nOrderedDict\n)R"


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _whole(*values: int) -> bytes:
    return b"".join(b"J" + struct.pack("<i", value) for value in values)


def _tensor(key: str, tensor: NDArray[np.float32]) -> bytes:
    storage = (
        b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text(key) + _text("cpu") + _whole(tensor.size) + b"tQ"
    )
    strides = [step // 4 for step in np.empty(tensor.shape, "<f4").strides]
    sizes = b"(" + _whole(*tensor.shape) + b"t(" + _whole(*strides) + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _whole(0) + sizes + b"\x89" + _EMPTY + b"tR"
