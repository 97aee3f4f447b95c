"""Kokoro-82M (ONNX, int8) → PyTorch's parameter names and layout, as in the MLX repository of the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from speechmlx.models.convert.onnx_graph import constants, dequantised, graph, reordered, scopes
from speechmlx.models.convert.weights import Array, Weights, read_json, save_tensors, write

HIDDEN = 768
CONFIG = {
    "model_type": "kokoro",
    "istftnet": {
        "upsample_kernel_sizes": [20, 12],
        "upsample_rates": [10, 6],
        "gen_istft_hop_size": 5,
        "gen_istft_n_fft": 20,
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "resblock_kernel_sizes": [3, 7, 11],
        "upsample_initial_channel": 512,
    },
    "dim_in": 64,
    "dropout": 0.2,
    "hidden_dim": 512,
    "max_conv_dim": 512,
    "max_dur": 50,
    "multispeaker": True,
    "n_layer": 3,
    "n_mels": 80,
    "n_token": 178,
    "style_dim": 128,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": HIDDEN,
        "num_attention_heads": 12,
        "intermediate_size": 2048,
        "max_position_embeddings": 512,
        "num_hidden_layers": 12,
        "dropout": 0.1,
    },
}
VOICE = (510, 1, 256)
"""Shape of a voice: one style [1, 256] for each number of phonemes."""
PREDICTOR = ("F0", "N", "shared", "lstm", "duration_proj", "F0_proj", "N_proj")
"""Modules of the predictor whose names in the export lack the prefix "predictor"."""
PLAIN = ("F0_proj", "N_proj")
"""Convolutions without weight normalisation, besides the noise convolutions."""


def convert(files: Path, folder: Path) -> None:
    """`files`/{kokoro.onnx, vocab.json, voices/*.bin} → config.json, float32 weights, voices/*.safetensors."""
    path = files / "kokoro.onnx"
    onnx = graph(path)
    values = constants(onnx, path)
    weights = {name.partition(".")[2]: value for name, value in values.items() if _is_parameter(name, value)}
    for node in onnx.node:
        weights |= _parameters(node, values)
    weights["bert.pooler.weight"] = np.zeros((HIDDEN, HIDDEN), np.float32)  # unused by the network
    weights["bert.pooler.bias"] = np.zeros(HIDDEN, np.float32)
    vocabulary = read_json(files / "vocab.json")["vocab"]
    write(folder, {**CONFIG, "vocab": vocabulary}, weights)
    (folder / "voices").mkdir()
    for path in sorted((files / "voices").glob("*.bin")):
        save_tensors(folder / "voices" / f"{path.stem}.safetensors", {"voice": np.fromfile(path, "<f4").reshape(VOICE)})


def _is_parameter(name: str, value: Array) -> bool:
    """Whether the constant is a float32 parameter with its original name, and not a constant of a Fourier transform."""
    return (
        name.startswith(("encoder.", "decoder."))
        and value.dtype == np.float32
        and value.ndim > 0
        and not name.endswith(("_scale", "_zero_point"))
        and "istft" not in name
        and "inverse_basis" not in name
    )


def _parameters(node: Any, values: dict[str, Array]) -> Weights:
    """The parameters that `node` reads, if any."""
    known = [name for name in node.input if name in values]
    module = _module(node)
    if not known or "istft" in module:
        return {}
    match node.op_type:
        case "Gather" if node.input[0].endswith(".weight_quantized"):
            base = node.input[0].removesuffix("_quantized")
            return {base.partition(".")[2]: _dequantise(node.input[0], f"{base}_zero_point", values)}
        case "MatMul" if node.input[1] in values:
            return {f"{module}.weight": values[node.input[1]].T}
        case "MatMulInteger" if node.input[1] in values and not _is_repeated(module):
            return {f"{module}.weight": _dequantise(node.input[1], node.input[3], values, axis=1).T}
        case "ConvInteger" if node.input[1] in values:
            return _convolution(module, _dequantise(node.input[1], node.input[3], values))
        case "Conv" | "ConvTranspose" if node.input[1] in values:
            return _convolution(module, values[node.input[1]])
        case "DynamicQuantizeLSTM":
            return _lstm(module, [values.get(name) for name in node.input])
    return {}


def _module(node: Any) -> str:
    """ "/encoder/text_encoder/cnn.0/cnn.0.0/Conv_quant" → "text_encoder.cnn.0.0"."""
    path = scopes(node)[1:]
    parts = [part for part, inner in zip(path, [*path[1:], ""], strict=False) if not inner.startswith(f"{part}.")]
    is_predictor = bool(parts) and parts[0].partition(".")[0] in PREDICTOR
    return ".".join(["predictor", *parts] if is_predictor else parts)


def _is_repeated(module: str) -> bool:
    """True for the second and later calls of ALBERT's one shared layer, which the export numbers."""
    return module.rpartition("_")[2].isdigit()


def _dequantise(name: str, zero: str, values: dict[str, Array], axis: int = 0) -> Array:
    """The dequantised float32 tensor of the integers `name`."""
    q = values[name]
    scale = values[f"{name.removesuffix('_quantized')}_scale"]
    return dequantised(q, scale, values.get(zero, np.zeros((), q.dtype)), axis)


def _convolution(module: str, weight: Array) -> Weights:
    """Parameters of a convolution [out, in, width]. Weight normalisation splits a kernel into direction and norm."""
    if "noise_convs" in module or module.endswith(PLAIN):
        return {f"{module}.weight": weight}
    length = np.sqrt((weight.astype(np.float64) ** 2).sum((1, 2), keepdims=True))
    return {f"{module}.weight_g": length.astype(np.float32), f"{module}.weight_v": weight}


def _lstm(module: str, inputs: list[Array | None]) -> Weights:
    """Parameters of both directions. The gate order is i, o, f, c in ONNX and i, f, c, o in PyTorch."""
    _, inner, hidden, biases, _, _, _, _, inner_scale, inner_zero, hidden_scale, hidden_zero = inputs
    assert inner is not None and hidden is not None and biases is not None
    assert inner_scale is not None and inner_zero is not None and hidden_scale is not None and hidden_zero is not None
    weights: Weights = {}
    for direction, suffix in enumerate(("", "_reverse")):
        for part, q, scale, zero in (
            ("ih", inner, inner_scale, inner_zero),
            ("hh", hidden, hidden_scale, hidden_zero),
        ):
            scale, zero = (n.reshape(2, -1)[direction] if n.size > 1 else n for n in (scale, zero))
            weight = dequantised(q[direction], scale, zero, axis=1)
            weights[f"{module}.weight_{part}_l0{suffix}"] = reordered(weight.T, "iofc", "ifco")
        for part, bias in zip(("ih", "hh"), np.split(biases[direction], 2), strict=True):
            weights[f"{module}.bias_{part}_l0{suffix}"] = reordered(bias, "iofc", "ifco")
    return weights
