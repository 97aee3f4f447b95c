"""The DeepFilterNet 3 engine: removes noise from speech at 48 kHz, in streams, with 30 ms of delay."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import mlx.core as mx
import numpy as np

from speechmlx.engines import LoadOptions
from speechmlx.engines.deepfilternet.network import Network
from speechmlx.engines.deepfilternet.stream import BLOCK, HOP, Enhancer
from speechmlx.engines.parts.held_arrays import bytes_of
from speechmlx.engines.weights import read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable, Unsupported
from speechmlx.types import Enhance, Progress, Request

VERSION = "DeepFilterNet3"


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, DeepFilterNet]:
    """Load config.json and model.safetensors (PyTorch's names) from `folder`. Always float32."""
    version = read_config(folder).get("model_version", VERSION)
    if version != VERSION:
        raise ModelUnavailable(f"the folder {folder.name!r} holds {version}; this engine runs {VERSION}")
    weights = yield from settle(read_weights(folder), mx.float32)
    engine = DeepFilterNet(weights, fused=options.device == "gpu")
    if options.warm_up:
        yield Progress("warm_up", 0, 1)
        engine.warm_up()
    return engine


class DeepFilterNet:
    """The engine of `Enhance` requests. The output is PCM16 at 48 kHz, as long as the input."""

    def __init__(self, weights: dict[str, mx.array], fused: bool) -> None:
        """`fused`: on a GPU's path."""
        self._network = Network(weights, fused)
        self._banks = weights["erb_fb"], weights["mask.erb_inv_fb"]
        self.nbytes = bytes_of(self)

    def open(self, request: Request) -> Enhancer:
        if not isinstance(request, Enhance):
            raise Unsupported(f"{VERSION} enhances speech; it cannot {type(request).__name__.lower()}")
        return Enhancer(self._network, *self._banks)

    def warm_up(self) -> None:
        for _ in self.open(Enhance()).feed(np.zeros(BLOCK * HOP, np.float32)):
            pass
