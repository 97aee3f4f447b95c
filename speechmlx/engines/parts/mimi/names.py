"""The tensors of Mimi's PyTorch checkpoint under our names and in our layouts."""

from __future__ import annotations

import re
from collections.abc import Mapping

import mlx.core as mx

from speechmlx.engines.parts.mimi.sizes import MimiSizes
from speechmlx.errors import ModelUnavailable

BOOK = re.compile(
    r"quantizer\.rvq_(first|rest)\.vq\.layers\.(\d+)\."
    r"_codebook\.(_initialized|cluster_usage|embedding_sum)"
)
RENAMED = (
    (re.compile(r"\.(conv\.conv|convtr\.convtr)\."), "."),
    (re.compile(r"^(downsample|upsample)\.(conv|convtr)\."), r"\1."),
    (re.compile(r"_transformer\.transformer\."), "_transformer."),
    (re.compile(r"\.self_attn\.in_proj_weight"), ".in_proj.weight"),
    (re.compile(r"\.self_attn\.out_proj\."), ".out_proj."),
    (re.compile(r"\.layer_scale_([12])\.scale"), r".scale\1"),
    (re.compile(r"\.rvq_(first|rest)\."), r".\1."),
)
LEAST_USE = 1e-5
"""Entries that were used less in training count as used so often."""


def own_weights(weights: Mapping[str, mx.array], sizes: MimiSizes) -> dict[str, mx.array]:
    """Weights by PyTorch's names → by ours. Codebooks beyond `sizes.codes` are left out; the others are float32.

    Raises ModelUnavailable where a codebook lacks a part.
    """
    own = dict[str, mx.array]()
    for name, tensor in weights.items():
        if found := BOOK.fullmatch(name):
            group, place, part = found[1], int(found[2]), found[3]
            if part == "embedding_sum" and place < (1 if group == "first" else sizes.codes - 1):
                use = weights.get(name.replace(part, "cluster_usage"))
                if use is None:
                    raise ModelUnavailable(f"the codec's weights have {name} without its cluster_usage")
                entries = (tensor / mx.maximum(use, LEAST_USE)[:, None]).astype(mx.float32)
                own[f"quantizer.{group}.entries.{place}"] = entries
                own[f"quantizer.{group}.half_squares.{place}"] = 0.5 * mx.sum(entries * entries, axis=1)
        else:
            own[own_name(name)] = _laid_out(name, tensor)
    return own


def own_name(name: str) -> str:
    """Our name of a tensor that is no part of a codebook."""
    for pattern, new in RENAMED:
        name = pattern.sub(new, name)
    return name


def _laid_out(name: str, tensor: mx.array) -> mx.array:
    """A tensor in our layout: convolutions are matrices."""
    if tensor.ndim != 3:
        return tensor
    if name.startswith("upsample."):  # [channels, 1, 2 * stride] → [2, stride, channels]
        return tensor[:, 0].T.reshape(2, -1, len(tensor))
    if ".convtr." in name:  # [in, out, width] → [width * out, in]
        return tensor.transpose(2, 1, 0).reshape(-1, len(tensor))
    return tensor.transpose(0, 2, 1).reshape(len(tensor), -1)  # [out, in, width] → [out, width * in]
