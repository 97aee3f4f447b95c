"""Hostile model files: each is refused by a SourceFailed that names it, soon and in little memory, or read."""

from __future__ import annotations

import gzip
import random
import resource
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from support.model_files import READERS, checkpoint, gguf_file, is_refused, mutants, text, zipped

from speechmlx.models.convert import hub
from speechmlx.models.convert.onnx_graph import dequantised
from speechmlx.models.convert.weights import MAX_JSON
from speechmlx.models.spec import SourceFailed

MB = 1 << 20


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """No test takes more than 400 MB. `ru_maxrss` is in bytes on macOS and in KiB elsewhere."""
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 400 * MB


def test_the_seeds_are_read(tmp_path: Path) -> None:
    for name, (seed, read) in READERS.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").write_bytes(seed())
        read(folder / "file")


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


@pytest.mark.parametrize("damage", [{"data_type": 0}, {"data_type": 99}, {"dims": [5]}])
def test_an_onnx_tensor_that_cannot_be_read_is_refused_by_name(damage: dict[str, Any], tmp_path: Path) -> None:
    tensor = helper.make_tensor("t", 1, [2], [1.0, 2.0])
    for name, value in damage.items():
        tensor.ClearField(name)
        if isinstance(value, list):
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    path = tmp_path / "file"
    path.write_bytes(helper.make_model(helper.make_graph([], "g", [], [], [tensor])).SerializeToString())
    assert is_refused(READERS["onnx"][1], path)


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
    "brackets": ("json", lambda: b'{"a":' + b"[" * 1_000_000, "recursion depth|Stack overflow"),
    "a number of 5,000 digits": ("json", lambda: b'{"a":' + b"9" * 5000 + b"}", "digits"),
    "a wheel of zeros": ("wheel", zip_bomb, "says that it unpacks to"),
    "a header of 1 GB": ("sdist", lambda: pax_bomb(1 << 30), "asks for 1073741824 bytes at once|empty header"),
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
