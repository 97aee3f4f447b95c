"""From a folder to a `Network`: mlx-whisper's layout, or a Hugging Face checkpoint whose names are mapped here."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines import LoadOptions
from speechmlx.engines.whisper.network import CPU, GPU, Dims, Network
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Progress

SLICE_BYTES = 32 << 20
"""Weights read and cast between two yields."""
WEIGHT_FILES = ("model.safetensors", "weights.safetensors", "weights.npz")

_HF_DIMS = {
    "n_mels": "num_mel_bins",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_vocab": "vocab_size",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
}
_HF_NAMES = (
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".out."),
    (r"\.fc1\.", ".mlp1."),
    (r"\.fc2\.", ".mlp2."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.embed_tokens\.", ".token_embedding."),
    (r"\.embed_positions\.weight$", ".positional_embedding"),
)

Weights = dict[str, mx.array]


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of `folder`. Raises ModelUnavailable when it is missing or not a Whisper's."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelUnavailable(f"no config.json in {folder.name!r}; a Whisper folder holds it beside the weights")
    config: dict[str, Any] = json.loads(path.read_text())
    return config


def dims(config: Mapping[str, Any]) -> Dims:
    """Sizes from a config of either layout. Raises ModelUnavailable naming what is missing."""
    names = _HF_DIMS if "d_model" in config else {field.name: field.name for field in fields(Dims)}
    missing = [name for name in names.values() if name not in config]
    if missing:
        raise ModelUnavailable(f"config.json is not a Whisper's: it lacks {', '.join(missing)}")
    return Dims(**{ours: int(config[theirs]) for ours, theirs in names.items()})


def read_weights(folder: Path) -> Weights:
    """Lazy arrays under mlx-whisper's names, whichever layout the folder has. Raises ModelUnavailable."""
    paths = [folder / name for name in WEIGHT_FILES if (folder / name).is_file()][:1]
    paths = paths or sorted(folder.glob("model-*.safetensors"))
    if not paths:
        raise ModelUnavailable(f"no weights in {folder.name!r}; looked for {', '.join(WEIGHT_FILES)}")
    weights: Weights = {}
    for path in paths:
        loaded = mx.load(str(path))
        assert isinstance(loaded, dict)
        weights |= loaded
    if any(name.startswith(("model.", "encoder.layers.")) for name in weights):
        weights = _from_hugging_face(weights)
    for extra in ("encoder.positional_embedding", "alignment_heads", "proj_out.weight"):
        weights.pop(extra, None)
    return weights


def _from_hugging_face(weights: Weights) -> Weights:
    found: Weights = {}
    for name, array in weights.items():
        for pattern, replacement in _HF_NAMES:
            name = re.sub(pattern, replacement, name)
        if re.fullmatch(r"encoder\.conv[12]\.weight", name) and array.shape[1] != 3:
            array = array.transpose(0, 2, 1)
        found[name] = array
    return found


def load_network(folder: Path, options: LoadOptions) -> Generator[Progress, None, Network]:
    """The network with its weights evaluated, in slices. Raises ModelUnavailable when weights do not fit the config."""
    config = read_config(folder)
    weights = read_weights(folder)
    network = Network(dims(config), CPU if options.device == "cpu" else GPU)
    quantization = config.get("quantization")
    dtype = getattr(mx, options.dtype)
    if quantization and options.device == "cpu":
        weights = _dequantized(weights, quantization)
    elif quantization:
        nn.quantize(
            network,
            quantization["group_size"],
            quantization["bits"],
            class_predicate=lambda p, m: f"{p}.scales" in weights,
        )
    total = sum(array.nbytes for array in weights.values())
    done = waiting = 0
    for name in list(weights):
        array = weights[name]
        waiting += array.nbytes
        if mx.issubdtype(array.dtype, mx.floating):
            weights[name] = array = array.astype(dtype)
        mx.eval(array)
        if waiting >= SLICE_BYTES:
            done, waiting = done + waiting, 0
            yield Progress("load", done, total)
    try:
        network.load_weights(list(weights.items()))
    except ValueError as error:
        raise ModelUnavailable(f"the weights in {folder.name!r} do not fit its config.json: {error}") from error
    yield Progress("load", total, total)
    return network


def _dequantized(weights: Weights, quantization: Mapping[str, int]) -> Weights:
    found: Weights = {}
    for name, array in weights.items():
        base, _, last = name.rpartition(".")
        scales = weights.get(f"{base}.scales")
        if scales is None:
            found[name] = array
        elif last == "weight":
            biases = weights[f"{base}.biases"]
            found[name] = mx.dequantize(array, scales, biases, quantization["group_size"], quantization["bits"])
        elif last == "bias":
            found[name] = array
    return found
