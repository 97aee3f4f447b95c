"""Smart Turn v3 (ONNX, int8 with Q/DQ nodes) → the layout of mlx-audio's smart_turn."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.onnx_graph import constants, dequantised, graph, integer
from speechmlx.models.convert.weights import Array, Weights, write

Named = tuple[str, Array]


def convert(files: Path, folder: Path) -> None:
    """`files`/smart_turn.onnx → config.json and float32 model.safetensors, linear layers as [out, in]."""
    path = files / "smart_turn.onnx"
    onnx = graph(path)
    values = constants(onnx, path)
    named = _dequantised(onnx, values)
    readers: defaultdict[str, list[Any]] = defaultdict(list)
    for node in onnx.node:
        for name in node.input:
            readers[name].append(node)
    weights: Weights = {
        name: value for name, value in values.items() if name.startswith("inner.") and value.dtype == np.float32
        and not name.endswith(("_scale", "_zero_point"))
    }  # fmt: skip
    layers = 0
    for node in onnx.node:
        if node.op_type not in ("MatMul", "Gemm", "Conv") or node.input[1] not in named:
            continue
        name, weight = named[node.input[1]]
        if node.op_type != "MatMul":
            weights |= _with_bias(node, name, weight, named)
        elif bias := _bias(node.output[0], readers, named):
            weights[bias[0]] = bias[1]
            weights[f"{bias[0].removesuffix('.bias')}.weight"] = weight.T
        else:  # Whisper's key projections have no bias; only their order identifies them
            weights[f"inner.encoder.layers.{layers}.self_attn.k_proj.weight"] = weight.T
            layers += 1
    write(folder, {"model_type": "smart_turn", "architecture": "smart_turn"}, weights)


def _dequantised(onnx: Any, values: dict[str, Array]) -> dict[str, Named]:
    """Original name and float32 value of each constant, by the name of the node input."""
    constants_by_name = {name: (name, value) for name, value in values.items()}
    for node in onnx.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            q, scale, *zero = (values[name] for name in node.input)
            whole = dequantised(q, scale, zero[0] if zero else np.zeros((), q.dtype), integer(node, "axis", 1))
            constants_by_name[node.output[0]] = (node.input[0].replace("_quantized", ""), whole)
    return constants_by_name


def _with_bias(node: Any, name: str, weight: Array, named: dict[str, Named]) -> Weights:
    """Weight and bias of a convolution or Gemm. A Gemm without transB holds its matrix as [in, out]."""
    is_flat = node.op_type == "Gemm" and not integer(node, "transB", 0)
    tensors = {name: weight.T if is_flat else weight}
    if len(node.input) > 2:
        tensors[name.replace("weight", "bias")] = named[node.input[2]][1]
    return tensors


def _bias(output: str, readers: dict[str, list[Any]], named: dict[str, Named], depth: int = 4) -> Named | None:
    """The named bias that is added to `output`, directly or after quantisation nodes."""
    for node in readers.get(output, ()):
        if node.op_type == "Add":
            for name in node.input:
                if name in named and named[name][0].startswith("inner.") and named[name][0].endswith(".bias"):
                    return named[name]
        elif (
            node.op_type in ("QuantizeLinear", "DequantizeLinear")
            and depth
            and (bias := _bias(node.output[0], readers, named, depth - 1))
        ):
            return bias
    return None
