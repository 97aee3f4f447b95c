"""Writes ONNX files of a few nodes: what the conversions read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Node = tuple[str, str, list[str], list[str]]
"""Its kind, its name, its inputs and its outputs."""


class GraphNodes:
    """Nodes with tensors of their own, each an input of one node."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, np.ndarray] = {}

    def add(self, kind: str, name: str, *values: np.ndarray) -> None:
        """A node with tensors."""
        names = [f"onnx::{kind}_{len(self.tensors) + number}" for number in range(len(values))]
        self.tensors.update(zip(names, values, strict=True))
        self.nodes.append((kind, name, ["x", *names], [f"out{len(self.nodes)}"]))


def write_graph(path: Path, nodes: Sequence[Node], tensors: Mapping[str, np.ndarray]) -> Path:
    """An ONNX file."""
    made = [helper.make_node(kind, inputs, outputs, name=name) for kind, name, inputs, outputs in nodes]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(tensor), name) for name, tensor in tensors.items()]
    given, found = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y"))
    onnx.save(helper.make_model(helper.make_graph(made, "g", [given], [found], initializers)), path)
    return path
