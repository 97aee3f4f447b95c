"""The names and shapes of F5-TTS's tensors. PyTorch's layout and MLX's, plain or quantised, come to one.

The one has PyTorch's names without their prefixes, convolutions as [out, taps, in / groups].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mlx.core as mx

from speechmlx.errors import WeightsDamaged

PREFIXES = ("ema_model.", "transformer.")
COMPUTED = ("initted", "step", "mel_spec.", "rotary_embed.")
"""Begin the names of what is no weight, or is computed."""
CONVOLUTIONS = ("dwconv.weight", "conv1d.0.weight", "conv1d.2.weight")
PACKED = (".scales", ".biases")
"""What a quantised layer has beside its weight."""
QUANTISED, BITS = 64, (2, 3, 4, 5, 6, 8)
"""Weights that share a scale, and the bits that one may have."""
TIMES, HEAD, GROUPS, TAPS, NEAR = 256, 64, 16, 31, 7
"""Numbers that tell the time; channels of a head; groups and taps of the convolutions over the spectrogram, and taps of
those over the text."""


@dataclass(frozen=True)
class NetworkSize:
    """The widths and depths of a network."""

    width: int
    depth: int
    inner: int
    """Width between the two layers of a block."""
    text: int
    text_inner: int
    text_depth: int
    symbols: int
    """Symbols of the text, and one that fills."""
    bands: int
    heads: int


def one_layout(weights: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """The weights of any of the four layouts under one set of names."""
    is_mlx = any(".layers." in name for name in weights)  # `mlx.nn` calls a list of layers so
    laid_out = {}
    for name, array in weights.items():
        short = _short(name)
        if not short.startswith(COMPUTED):
            is_turned = short.endswith(CONVOLUTIONS) and not is_mlx and array.ndim == 3
            laid_out[short] = array.swapaxes(1, 2) if is_turned else array
    return laid_out


def _short(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name.replace(".layers.", ".")


def size_of(weights: Mapping[str, mx.array], heads: int | None = None) -> NetworkSize:
    """The size of the network that `weights`, of the one layout, are for. Raises WeightsDamaged for what is no such.

    `heads`: of its attention; None: as many as have HEAD channels.
    """
    try:
        width = weights["time_embed.time_mlp.0.bias"].size
        size = NetworkSize(
            width=width,
            depth=_count(weights, "transformer_blocks"),
            inner=weights["transformer_blocks.0.ff.ff.0.0.bias"].size,
            text=weights["text_embed.text_blocks.0.norm.bias"].size,
            text_inner=weights["text_embed.text_blocks.0.pwconv1.bias"].size,
            text_depth=_count(weights, "text_embed.text_blocks"),
            symbols=weights["text_embed.text_embed.weight"].shape[0],
            bands=weights["proj_out.bias"].size,
            heads=heads or width // HEAD,
        )
    except KeyError as error:
        raise WeightsDamaged(f"the weights are not those of F5-TTS: they have no {error.args[0]!r}") from error
    _check(weights, shapes(size))
    return size


def _count(weights: Mapping[str, mx.array], name: str) -> int:
    return len({key[len(name) + 1 :].partition(".")[0] for key in weights if key.startswith(f"{name}.")})


def shapes(size: NetworkSize) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a network of this size."""
    width, text = size.width, size.text
    found: dict[str, tuple[int, ...]] = {"text_embed.text_embed.weight": (size.symbols, text)}
    linears = {
        "time_embed.time_mlp.0": (width, TIMES),
        "time_embed.time_mlp.2": (width, width),
        "input_embed.proj": (width, 2 * size.bands + text),
        "input_embed.conv_pos_embed.conv1d.0": (width, TAPS, width // GROUPS),
        "input_embed.conv_pos_embed.conv1d.2": (width, TAPS, width // GROUPS),
        "norm_out.linear": (2 * width, width),
        "proj_out": (size.bands, width),
    }
    for number in range(size.text_depth):
        block = f"text_embed.text_blocks.{number}"
        found |= {f"{block}.norm.weight": (text,), f"{block}.norm.bias": (text,)}
        found |= {f"{block}.grn.{name}": (1, 1, size.text_inner) for name in ("gamma", "beta")}
        linears |= {f"{block}.dwconv": (text, NEAR, 1)}
        linears |= {f"{block}.pwconv1": (size.text_inner, text), f"{block}.pwconv2": (text, size.text_inner)}
    for number in range(size.depth):
        block = f"transformer_blocks.{number}"
        linears |= {f"{block}.attn.{name}": (width, width) for name in ("to_q", "to_k", "to_v", "to_out.0")}
        linears |= {f"{block}.attn_norm.linear": (6 * width, width)}
        linears |= {f"{block}.ff.ff.0.0": (size.inner, width), f"{block}.ff.ff.2": (width, size.inner)}
    for name, shape in linears.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return found


def _check(weights: Mapping[str, mx.array], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Raises WeightsDamaged where a tensor is missing, is one too many, or has another shape."""
    found = {name: array.shape for name, array in weights.items()}
    for layer in [name.removesuffix(".scales") for name in found if name.endswith(".scales")]:
        _unpack(found, layer)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise WeightsDamaged(
                f"the weights are not those of F5-TTS: {name!r} is {found.get(name, 'missing')}, "
                f"not {wanted.get(name, 'there')}"
            )


def _unpack(found: dict[str, tuple[int, ...]], layer: str) -> None:
    """Put the shape of a quantised layer's weight in the place of those of its parts, where they fit each other."""
    packed, scales, biases = (found.get(f"{layer}{part}", ()) for part in (".weight", *PACKED))
    if len(packed) == 2 and scales == biases and packed[0] == scales[0] and bits_of(packed[1], scales[1]):
        found[f"{layer}.weight"] = (packed[0], scales[1] * QUANTISED)
        del found[f"{layer}.scales"], found[f"{layer}.biases"]


def bits_of(packed: int, scales: int) -> int:
    """Bits of a weight in rows of so many packed words and scales; 0 where there is no such format."""
    bits, rest = divmod(32 * packed, scales * QUANTISED)
    return bits if not rest and bits in BITS else 0
