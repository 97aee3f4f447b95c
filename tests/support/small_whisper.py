"""A Whisper network of a few thousand random weights: enough to test what is done with a network, in milliseconds."""

from __future__ import annotations

from functools import cache

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map

from speechmlx.engines.whisper.model.network import GPU, Dims, Network, Pair
from speechmlx.engines.whisper.model.tokenizer import Vocabulary

VOCABULARY = Vocabulary(51864)
MULTILINGUAL = Vocabulary(51865)
HEADS = {1: [0, 1]}


@cache
def network(n_vocab: int = 51864) -> Network:
    """Two layers of two heads. The random weights are always the same."""
    dims = Dims(80, 1500, 16, 2, 2, n_vocab, 448, 16, 2, 2)
    net = Network(dims, GPU)
    draw = np.random.default_rng(3)
    net.update(tree_map(lambda array: mx.array(draw.normal(0, 0.5, array.shape).astype(np.float32)), net.parameters()))
    mx.eval(net.parameters())
    return net


def audio(net: Network, seed: int, places: int = 40) -> list[Pair]:
    """Keys and values of random encoded audio [1, places, width]."""
    encoded = mx.array(np.random.default_rng(seed).normal(0, 1, (1, places, 16)).astype(np.float32))
    return net.cross(encoded)
