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
