"""Reads ONNX graphs for the conversions: constants by name, nodes, and quantised tensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.weights import Array, check_scale, reading


def graph(path: Path) -> Any:
    """The main graph of an ONNX file. Files that it names are not read. Raises SourceFailed."""
    import onnx

    with reading(path, "an ONNX file"):
        return onnx.load(path, load_external_data=False).graph


def constants(graph: Any, path: Path) -> dict[str, Array]:
    """Initializers and constant nodes of `graph` and of the graphs in its branches, by name.

    Raises SourceFailed, which names the file at `path`, for tensors whose type, shape and bytes do not go together.
    """
    with reading(path, "an ONNX file"):
        return dict(_constants(graph))


def _constants(graph: Any) -> Iterator[tuple[str, Array]]:
    from onnx import AttributeProto, numpy_helper

    for tensor in graph.initializer:
        yield tensor.name, numpy_helper.to_array(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _constants(attribute.g)
            elif attribute.type == AttributeProto.TENSOR and node.op_type == "Constant":
                yield node.output[0], numpy_helper.to_array(attribute.t)


def scopes(node: Any) -> list[str]:
    """The modules of a node, outermost first: "/a/b/Conv" → ["a", "b"]."""
    return str(node.name).strip("/").split("/")[:-1]


def integer(node: Any, name: str, default: int) -> int:
    """An integer attribute of `node`."""
    return next((int(a.i) for a in node.attribute if a.name == name), default)


def dequantised(q: Array, scale: Array, zero: Array, axis: int = 0) -> Array:
    """(q - zero) * scale as float32. `scale` and `zero` hold one value, or one value per index of `axis`."""

    check_scale(q, scale, axis)
    check_scale(q, zero, axis)

    def shaped(values: Array) -> Array:
        shape = [1] * q.ndim
        shape[axis if values.size > 1 else 0] = -1
        return values.astype(np.float32).reshape(shape if values.ndim else ())

    return (q.astype(np.float32) - shaped(zero)) * shaped(scale)


def reordered(gates: Array, order: str, target: str) -> Array:
    """Reorder the gates of an LSTM or GRU weight from `order` to `target`; each letter names one block of rows."""
    blocks = dict(zip(order, np.split(gates, len(order)), strict=True))
    return np.concatenate([blocks[gate] for gate in target])
