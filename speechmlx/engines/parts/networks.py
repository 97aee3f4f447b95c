"""Reads the weights of a model that is made of several networks, as one load."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import mlx.core as mx

from speechmlx.engines.weights import read_weights, settle
from speechmlx.types import Progress

Weights = dict[str, mx.array]


def read_networks(folder: Path, companions: Sequence[str]) -> Generator[Progress, None, tuple[Weights, ...]]:
    """The weights in `folder`, then those in its folders `companions`, all in float32. Raises ModelUnavailable."""
    folders = [folder, *(folder / name for name in companions)]
    every = {
        f"{number}/{name}": array for number, one in enumerate(folders) for name, array in read_weights(one).items()
    }
    settled = yield from settle(every, mx.float32)
    parts = tuple[Weights, ...]({} for _ in folders)
    for name, array in settled.items():
        number, _, inside = name.partition("/")
        parts[int(number)][inside] = array
    return parts
