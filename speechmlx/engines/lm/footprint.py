"""The memory of keys and values: how much a token takes, and how much the sequences of a batch come to."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from speechmlx.engines.lm.kv_cache import new_cache

STEP = 256
"""Tokens by which the caches of mlx-lm grow."""


class Unlimited:
    """An engines.Room without a limit, for an engine outside of a worker."""

    most = reachable = free = sys.maxsize

    def claim(self, nbytes: int) -> None:
        """There is room for all."""


def bytes_per_token(model: nn.Module) -> int:
    """Bytes of the keys and values of one token in all layers: layers * heads * (widths of key and value) * type.

    They are read off the shapes of a cache with one token, which has room for STEP; nothing is computed.
    """
    cache = new_cache(model)
    model(mx.array([[0]]), cache=cache)
    states = (array for layer in cache for _, array in tree_flatten(layer.state))
    return sum(array.nbytes for array in states if isinstance(array, mx.array)) // STEP


def batch_bytes(per_token: int, lengths: Sequence[int]) -> int:
    """Bytes of sequences of `lengths` tokens at most: rows of one batch are all as long as the longest."""
    return len(lengths) * (max(lengths, default=0) + STEP) * per_token
