"""Silero VAD (ONNX, both of its models) → the layout of mlx-audio's silero_vad."""

from __future__ import annotations

from pathlib import Path

from speechmlx.models.convert.onnx_graph import constants, graph
from speechmlx.models.convert.weights import Array, Weights, write
from speechmlx.models.spec import SourceFailed

BRANCHES = {"vad_16k": "then_branch", "vad_8k": "else_branch"}
"""Branch of the graph for each sample rate."""
NAMES = {
    "stft_conv.weight": "stft.forward_basis_buffer",
    **{f"conv{i + 1}.{part}": f"encoder.{i}.reparam_conv.{part}" for i in range(4) for part in ("weight", "bias")},
    "lstm.Wx": "rnn.weight_ih",
    "lstm.Wh": "rnn.weight_hh",
    "final_conv.weight": "decoder.decoder.2.weight",
    "final_conv.bias": "decoder.decoder.2.bias",
}


def convert(files: Path, folder: Path) -> None:
    """`files`/silero.onnx → config.json and float32 model.safetensors."""
    write(folder, {"model_type": "silero_vad", "architecture": "silero_vad"}, read(files / "silero.onnx"))


def read(path: Path) -> Weights:
    """The float32 weights of both models in the file at `path`. Raises SourceFailed."""
    values = constants(graph(path), path)
    weights: Weights = {}
    for prefix, branch in BRANCHES.items():
        for name, source in NAMES.items():
            value = _find(values, branch, source)
            # convolutions: [out, in, width] → [out, width, in]
            weights[f"{prefix}.{name}"] = value.transpose(0, 2, 1) if value.ndim == 3 else value
        biases = _find(values, branch, "rnn.bias_ih") + _find(values, branch, "rnn.bias_hh")
        weights[f"{prefix}.lstm.bias"] = biases
    return weights


def _find(values: dict[str, Array], branch: str, name: str) -> Array:
    """The constant of `branch` whose name contains `name`. Raises SourceFailed if there is none."""
    for key, value in values.items():
        if branch in key and name in key and value.size:
            return value
    raise SourceFailed(f"silero.onnx has no {name} in its {branch}")
