"""The S3 speech tokenizer (ONNX) → its tensors under the names of its PyTorch network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speechmlx.models.convert.onnx_graph import constants, graph, scopes
from speechmlx.models.convert.weights import Array, Weights
from speechmlx.models.spec import SourceFailed

PROJECTION = "quantizer._codebook.project_down"
TABLE = "quantizer._codebook.embed"
"""The rows of version 1, [tokens, width]."""
FIRST_QUANTIZER = "quantizer.rq.model.layers.0._codebook"
"""The module that holds them in its graph, as columns."""


def read(path: Path) -> Weights:
    """Linear layers as [out, in], convolutions as [out, taps, in], all float32. Raises SourceFailed."""
    onnx = graph(path)
    values = {name: value for name, value in constants(onnx, path).items() if value.size > 1}
    weights: Weights = {}
    convolutions = 0
    for node in onnx.node:
        known = [values[name] for name in node.input if name in values and values[name].dtype.kind == "f"]
        module = module_of(node)
        if node.op_type == "Conv" and known and not module.startswith("blocks."):
            convolutions += 1
            module = f"conv{convolutions}"
        weights |= dict(_tensors(node, module, known))
    if convolutions != 2 or weights.keys().isdisjoint((f"{PROJECTION}.weight", TABLE)):
        raise SourceFailed(f"{path.name} is not an S3 speech tokenizer")
    return weights


def module_of(node: Any) -> str:
    """ "/blocks.0/mlp/mlp.0/MatMul" → "blocks.0.mlp.0"."""
    names: list[str] = []
    for name in scopes(node):
        if names and name.startswith(f"{names[-1]}."):
            names.pop()
        names.append(name)
    return ".".join(names)


def _tensors(node: Any, module: str, known: list[Array]) -> Iterator[tuple[str, Array]]:
    """What a node holds of the network."""
    name = f"encoder.{module}" if module.startswith(("blocks.", "conv")) else PROJECTION
    match node.op_type, known:
        case "MatMul" | "Pow", [columns] if module == FIRST_QUANTIZER:
            yield TABLE, columns.T
        case "Conv", [weight, *bias]:
            yield f"{name}.weight", weight.transpose(0, 2, 1)
            yield from ((f"{name}.bias", tensor) for tensor in bias)
        case "LayerNormalization", [weight, bias]:
            yield f"{name}.weight", weight
            yield f"{name}.bias", bias
        case "Mul", [weight] if module.endswith("_ln"):
            yield f"{name}.weight", weight
        case "MatMul", [weight] if weight.ndim == 2:
            yield f"{name}.weight", weight.T
        case "Add", [bias] if bias.ndim == 1:
            yield f"{name}.bias", bias
