"""Reads a folder: the network, quantised or not, the codec, and the voices."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from speechmlx.engines.moshi import names
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.prompt import MoshiVoice
from speechmlx.engines.moshi.sizes import STREAMS, MoshiSizes
from speechmlx.engines.parts import mimi
from speechmlx.engines.parts.mimi import Mimi, MimiSizes
from speechmlx.engines.weights import check_header, evaluate_finite, read_weights, settle
from speechmlx.errors import ModelUnavailable
from speechmlx.types import Progress

CODEC = ("encoder", "decoder", "quantizer", "downsample", "upsample")
"""How the names of the codec's tensors begin; none of the network's does."""
Weights = dict[str, mx.array]


def read_models(
    folder: Path, config: Mapping[str, Any], dequantise: bool
) -> Generator[Progress, None, tuple[MoshiNetwork, Mimi]]:
    """The network and the codec of a folder. Raises ModelUnavailable.

    With `dequantise`, for a CPU, all weights are float32. Else the network's stay as they are, or become quantised as
    the config says; the codec's are float32 always.
    """
    sizes, codec_sizes = MoshiSizes.of(config), MimiSizes.of(config.get("codec", {}))
    network, codec = MoshiNetwork(sizes), Mimi(codec_sizes)
    quantised = None if dequantise else config.get("quantization")
    if quantised:
        nn.quantize(network, quantised["group_size"], quantised["bits"])
    settled = yield from settle(_all_weights(folder, config, sizes, codec_sizes, dequantise))
    for part, model in (("network.", network), ("codec.", codec)):
        _fill(model, {name.removeprefix(part): one for name, one in settled.items() if name.startswith(part)}, folder)
    return network, codec


def _all_weights(
    folder: Path, config: Mapping[str, Any], sizes: MoshiSizes, codec_sizes: MimiSizes, dequantise: bool
) -> Weights:
    """The weights of both, by our names behind "network." and "codec."; none is in memory yet."""
    weights = read_weights(folder)
    codec = {name: weights.pop(name) for name in [*weights] if name.split(".")[0].split("_")[0] in CODEC}
    own = names.own_weights(weights, sizes) if names.is_torch(weights) else weights
    quantised = config.get("quantization")
    if quantised and dequantise:
        own = _dequantised(own, **quantised)
    elif quantised:
        own = _quantised(own, **quantised)
    made = {f"network.{name}": one.astype(mx.float32) if dequantise else one for name, one in own.items()}
    return made | {
        f"codec.{name}": one.astype(mx.float32) for name, one in mimi.own_weights(codec, codec_sizes).items()
    }


def _dequantised(weights: Weights, group_size: int, bits: int) -> Weights:
    made = dict[str, mx.array]()
    for name, one in weights.items():
        base = name.removesuffix(".weight")
        if f"{base}.scales" in weights and name != base:
            parts = weights[f"{base}.scales"], weights[f"{base}.biases"]
            made[name] = mx.dequantize(one, *parts, group_size=group_size, bits=bits)
        elif not name.endswith((".scales", ".biases")):
            made[name] = one
    return made


def _quantised(weights: Weights, group_size: int, bits: int) -> Weights:
    """Matrices quantised, where they are not yet."""
    made = dict[str, mx.array]()
    for name, one in weights.items():
        base = name.removesuffix(".weight")
        if one.ndim != 2 or name == base or f"{base}.scales" in weights:
            made[name] = one
            continue
        parts = mx.quantize(one, group_size=group_size, bits=bits)
        made |= dict(zip((name, f"{base}.scales", f"{base}.biases"), parts, strict=True))
    return made


def _fill(model: nn.Module, weights: Weights, folder: Path) -> None:
    """Give a model its weights. Raises ModelUnavailable where one is missing, too many or of another shape."""
    wanted = {name: one.shape for name, one in tree_flatten(model.parameters())}
    found = {name: one.shape for name, one in weights.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        first = wrong[0]
        raise ModelUnavailable(
            f"the weights of the model folder {folder.name!r} are not those of its config.json: {first} is "
            f"{found.get(first, 'missing')}, not {wanted.get(first, 'there')}; {len(wrong)} differ"
        )
    model.load_weights(list(weights.items()))


def read_voices(folder: Path, sizes: MoshiSizes, dtype: mx.Dtype) -> dict[str, MoshiVoice]:
    """The voices of a folder by name. Raises ModelUnavailable for one of another model or of no numbers."""
    voices = dict[str, MoshiVoice]()
    for path in sorted(folder.glob("voices/*.safetensors")):
        check_header(path)
        stored: Weights = mx.load(str(path))  # type: ignore[assignment]
        inputs, ring = stored.get("embeddings"), stored.get("cache")
        if inputs is None or ring is None or inputs.shape[-1] != sizes.dim or ring.shape[-2:-1] != (STREAMS,):
            raise ModelUnavailable(f"the voice {path.name} of the model folder {folder.name!r} is not this model's")
        inputs = inputs.reshape(-1, sizes.dim).astype(dtype)
        evaluate_finite({f"voices/{path.name}": inputs})
        voices[path.stem] = MoshiVoice(inputs, np.array(ring).astype(np.int32).reshape(STREAMS, -1))
    return voices
