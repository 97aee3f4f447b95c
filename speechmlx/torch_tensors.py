"""Reads what torch.save wrote with numpy. The pickle may refer to tensors only, so that it cannot run code."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MAX_INDEX = 32 << 20
"""Bytes of the pickle. The largest of the catalog's has 100 kB."""
MAX_RANK = 8

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


def load(archive: zipfile.ZipFile, limit: int) -> Any:
    """The object saved in `archive`, its tensors as arrays (bfloat16 widened to float32), wherever they were before.

    `limit`: bytes of all tensors together. Whoever opens the archive looks at the sizes of its files. Raises
    ValueError and UnpicklingError for what is no such archive; reading a hostile one may raise anything else.
    """
    index = next((n for n in archive.namelist() if n.endswith("data.pkl")), None)
    if index is None:
        raise ValueError("it has no data.pkl")
    root = index.removesuffix("data.pkl")
    if archive.getinfo(index).file_size > MAX_INDEX:
        raise ValueError(f"it has an index of more than {MAX_INDEX} bytes")
    data = archive.read(index)
    _check_memo(data)
    return _Tensors(io.BytesIO(data), lambda key: archive.read(f"{root}data/{key}"), limit).load()


def load_old(file: BinaryIO, limit: int) -> Any:
    """The same of a `file` from before PyTorch 1.6: five pickles, then the storages one after another."""
    head = io.BytesIO(file.read(MAX_INDEX))
    *_, index, order = [_next_pickle(head) for _ in range(5)]
    survey = _Survey(io.BytesIO(index), lambda key: b"", 0)
    survey.load()
    places, at = dict[str, tuple[int, int]](), head.tell()
    for key in _Tensors(io.BytesIO(order), lambda key: b"", 0).load():
        kind, count = survey.storages[key]
        file.seek(at)
        if int.from_bytes(file.read(8), "little") != count:
            raise pickle.UnpicklingError(f"its storage {key!r:.40} has another length than it says")
        size = count * np.dtype(STORAGES[kind]).itemsize
        places[key] = at + 8, size
        at += 8 + size

    def storage(key: str) -> bytes:
        start, size = places[key]
        file.seek(start)
        return file.read(size)

    return _Tensors(io.BytesIO(index), storage, limit).load()


def _next_pickle(stream: io.BytesIO) -> bytes:
    start = stream.tell()
    for _ in pickletools.genops(stream):
        pass
    data = stream.getvalue()[start : stream.tell()]
    _check_memo(data)
    return data


def _check_memo(data: bytes) -> None:
    """Raises UnpicklingError where a pickle remembers at a place beyond its length: that alone allocates the memory."""
    for operation, argument, _ in pickletools.genops(data):
        if "PUT" in operation.name and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError(f"it has a memo of {argument} places")


class _Tensors(pickle.Unpickler):
    """Knows the storages, the tensor rebuilders and OrderedDict; every other global is refused."""

    def __init__(self, file: io.BytesIO, storage: Callable[[str], bytes], limit: int) -> None:
        """`limit`: bytes of all tensors together."""
        super().__init__(file)
        self.left = limit
        self.storage = storage
        self.read: dict[str, Array] = {}

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "torch", _ if name in STORAGES:
                return name
            case "torch._utils", "_rebuild_tensor_v2":
                return self._tensor
            case "torch._utils", "_rebuild_parameter":
                return _parameter
            case "collections", "OrderedDict":
                return OrderedDict
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Array:
        _, storage, key, _, count, *_ = pid
        if key not in self.read:
            values = np.frombuffer(self.storage(key), STORAGES[storage], count=count)
            wide = (values.astype(np.uint32) << 16).view(np.float32) if storage == "BFloat16Storage" else values
            self.read[key] = wide
        return self.read[key]

    def _tensor(self, storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Array:
        """Copy a view, unless all copies come to more than the limit."""
        if not isinstance(storage, np.ndarray):
            raise pickle.UnpicklingError("a tensor without a storage")
        _check_view(storage, offset, size, stride)
        self.left -= math.prod(size) * storage.itemsize
        if self.left < 0:
            raise pickle.UnpicklingError("its tensors are much larger than the file")
        strides = [step * storage.itemsize for step in stride]
        return np.array(np.lib.stride_tricks.as_strided(storage[offset:], size, strides))


class _Survey(_Tensors):
    """Learns what storages a pickle names, and makes no tensor."""

    def __init__(self, file: io.BytesIO, storage: Callable[[str], bytes], limit: int) -> None:
        super().__init__(file, storage, limit)
        self.storages: dict[str, tuple[str, int]] = {}
        """Kind and number of elements of each."""

    def persistent_load(self, pid: Any) -> Array:
        _, kind, key, _, count, *_ = pid
        self.storages[key] = kind, count
        return np.empty(0)

    def _tensor(self, storage: Array, *_: object) -> Array:
        return storage


def _check_view(storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    """Raises UnpicklingError if a strided view exceeds the storage, or has more elements; `stride` is in elements."""
    if len(size) > MAX_RANK or any(n < 0 for n in size) or math.prod(size) > max(len(storage), 1):
        raise pickle.UnpicklingError("a tensor is larger than its storage")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if all(size) else offset
    if offset < 0 or any(step < 0 for step in stride) or last >= max(len(storage), 1):
        raise pickle.UnpicklingError("a tensor reaches outside its storage")


def _parameter(tensor: Array, *_: object) -> Array:
    return tensor
