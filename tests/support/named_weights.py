"""Weights made from their names, alike here and where a reference implementation runs: nothing needs to be stored.

Activations keep their size through a network of them, and no part of it is drowned by the others.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def named_weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The tensor of this name and shape."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    return np.asarray(_weight(name, random.standard_normal(shape).astype(np.float32)), np.float32)


def _weight(name: str, noise: NDArray[np.float32]) -> NDArray[Any]:
    shape = noise.shape
    if name.endswith("initialized"):
        return np.ones(shape)
    if name.endswith("cluster_usage"):
        return 1 + np.abs(noise)
    if name.endswith(("embedding_sum", "embed_sum")):
        return 2 * noise
    if "norm" in name and name.endswith("weight"):
        return 1 + noise / 10
    if name.endswith((".scale", "gamma")):
        return (1 + noise / 5) / 2
    if len(shape) == 1:
        return noise / 10
    size = 8 if name.endswith("conv2.conv.weight") else 1  # the end of a residual unit: many follow one another
    return noise / (size * np.sqrt(np.prod(shape[1:])))


def moshi_weight(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The same for Moshi's tensors, whose sizes vary more."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if "cluster_usage" in name:
        return np.abs(values) + 0.5
    if name.endswith(("alpha", "scale")) or ("norm" in name and name.endswith("weight")):
        return 1 + 0.1 * values
    if "emb" in name.split(".")[0] or "embedding_sum" in name:
        return values
    scaled: NDArray[Any] = values / np.float32(np.sqrt(np.prod(shape[1:], dtype=int)))
    return scaled
