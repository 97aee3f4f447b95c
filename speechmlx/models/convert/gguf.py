"""Reads GGUF, llama.cpp's file format: metadata and tensors, with block-quantised ones dequantised to float32."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.weights import Array, Weights, reading

SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
"""struct letters of the metadata types; 8 is a string, 9 an array."""
STRING, ARRAY = 8, 9
BLOCK = 32
"""Elements that share a scale."""
MAX_VALUES, MAX_DEPTH, MAX_RANK = 8_000_000, 4, 8
"""Metadata values and their depth, and dimensions of a tensor. The vocabularies of today have 1.5 million values."""
Entry = tuple[str, int, tuple[int, ...], int]
"""Name, type, shape (outermost first) and offset of a tensor."""


def read(path: Path) -> tuple[dict[str, Any], Weights]:
    """Metadata by key, and tensors by name as float32 (row-major, outermost dimension first). Raises SourceFailed."""
    with reading(path, "a GGUF file"):
        reader = _Reader(path)
        if bytes(reader.data[:4]) != b"GGUF":
            raise ValueError("no GGUF signature")
        reader.at = 4
        version, tensors, pairs = reader.number("I"), reader.number("Q"), reader.number("Q")
        if version not in (2, 3):
            raise ValueError(f"version {version}")
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = reader.text()
            metadata[key] = reader.value(reader.number("I"))
        entries: list[Entry] = [reader.entry() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", BLOCK)
        start = math.ceil(reader.at / alignment) * alignment
        reader.check(start, entries)
        return metadata, {name: reader.tensor(start + at, kind, shape) for name, kind, shape, at in entries}


class _Reader:
    """A cursor over the file; little endian."""

    def __init__(self, path: Path) -> None:
        self.data = np.memmap(path, np.uint8, "r")
        self.bytes = memoryview(self.data)  # type: ignore[arg-type]
        self.at = 0
        self.left = MAX_VALUES

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self.bytes, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def text(self) -> str:
        length = self.number("Q")
        if length > len(self.data) - self.at:
            raise ValueError(f"a text of {length} bytes reaches outside the file")
        value = self.data[self.at : self.at + length].tobytes().decode()
        self.at += length
        return value

    def value(self, kind: int, depth: int = 0) -> Any:
        self.left -= 1
        count = 0
        if kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
        if count > self.left or self.left < 0 or depth > MAX_DEPTH:
            raise ValueError(f"metadata of more than {MAX_VALUES} values, or nested more than {MAX_DEPTH} deep")
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            return [self.value(inner, depth + 1) for _ in range(count)]
        return self.number(SCALARS[kind])

    def entry(self) -> Entry:
        """Name, type, shape (outermost first) and offset of a tensor."""
        name, rank = self.text(), self.number("I")
        if rank > MAX_RANK:
            raise ValueError(f"a tensor of {rank} dimensions")
        shape = tuple(self.number("Q") for _ in range(rank))
        return name, self.number("I"), shape[::-1], self.number("Q")

    def check(self, start: int, entries: list[Entry]) -> None:
        """Raises ValueError where two tensors share bytes: together they could be any size."""
        end = start
        for name, kind, shape, at in sorted(entries, key=lambda entry: entry[3]):
            size, per_block, _ = KINDS.get(kind, (1, 1, None))
            if start + at < end or math.prod(shape) % per_block:
                raise ValueError(f"the tensor {name} overlaps another or has no whole blocks")
            end = start + at + math.prod(shape) // per_block * size
        if end > len(self.data):
            raise ValueError(f"the tensors reach {end - len(self.data)} bytes outside the file")

    def tensor(self, at: int, kind: int, shape: tuple[int, ...]) -> Array:
        if kind not in KINDS:
            raise ValueError(f"tensors of type {kind}; we read {sorted(KINDS)}")
        size, per_block, whole = KINDS[kind]
        count = math.prod(shape) // per_block
        return whole(self.data[at : at + count * size].reshape(count, size)).reshape(shape)


# --- Tensor types: blocks as bytes [blocks, size] → float32 [blocks, elements] --------------------------------------


def _halves(blocks: Array) -> Array:
    return np.ascontiguousarray(blocks).view("<f2").astype(np.float32)


def _float32(blocks: Array) -> Array:
    return np.ascontiguousarray(blocks).view("<f4").astype(np.float32)


def _nibbles(blocks: Array) -> Array:
    """The low halves of 16 bytes are elements 0 to 15, the high halves 16 to 31."""
    return np.concatenate([blocks & 15, blocks >> 4], axis=1).astype(np.float32)


def _q4_0(blocks: Array) -> Array:
    return (_nibbles(blocks[:, 2:]) - 8) * _halves(blocks[:, :2])


def _q4_1(blocks: Array) -> Array:
    return _nibbles(blocks[:, 4:]) * _halves(blocks[:, :2]) + _halves(blocks[:, 2:4])


def _q8_0(blocks: Array) -> Array:
    return np.ascontiguousarray(blocks[:, 2:]).view(np.int8).astype(np.float32) * _halves(blocks[:, :2])


KINDS: dict[int, tuple[int, int, Callable[[Array], Array]]] = {
    0: (4, 1, _float32),
    1: (2, 1, _halves),
    2: (18, BLOCK, _q4_0),
    3: (20, BLOCK, _q4_1),
    8: (34, BLOCK, _q8_0),
}
"""Bytes and elements of a block, by ggml's number of the type."""
