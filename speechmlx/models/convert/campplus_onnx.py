"""The CAM++ speaker network (ONNX) → its tensors under the names of its PyTorch network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmlx.models.convert.onnx_graph import constants, graph
from speechmlx.models.convert.s3_onnx import module_of
from speechmlx.models.convert.weights import Array, Weights
from speechmlx.models.spec import SourceFailed

EPSILON = 1e-5
"""Of a normalisation, where the graph names none."""


def read(path: Path) -> Weights:
    """Convolutions as [out, taps..., in], a normalisation as its scale and shift. Raises SourceFailed.

    Normalisations behind a convolution are in its weights already, where the graph was written so.
    """
    onnx = graph(path)
    values = constants(onnx, path)
    weights: Weights = {}
    for node in onnx.node:
        known = [values[name] for name in node.input if name in values]
        name = module_of(node).removesuffix(".batchnorm")
        if node.op_type == "Conv" and known:
            weights[f"{name}.weight"] = np.moveaxis(known[0], 1, -1)
            weights |= {f"{name}.bias": bias for bias in known[1:2]}
        elif node.op_type == "BatchNormalization" and len(known) == 4:
            epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), EPSILON)
            scale, shift = folded(known[0], known[1], known[2], known[3], epsilon)
            weights |= {f"{name}.scale": scale, f"{name}.shift": shift}
    if "xvector.dense.linear.weight" not in weights:
        raise SourceFailed(f"{path.name} is not a CAM++ speaker network")
    return weights


def folded(weight: Array, bias: Array, mean: Array, variance: Array, epsilon: float) -> tuple[Array, Array]:
    """The scale and the shift of a normalisation by a mean and a variance."""
    scale = weight / np.sqrt(variance + epsilon)
    return scale.astype(np.float32), (bias - mean * scale).astype(np.float32)
