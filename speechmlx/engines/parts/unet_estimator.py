"""The network of CosyVoice 1's flow: the direction from noise to a mel spectrogram. A U-net of two levels."""

from __future__ import annotations

from collections.abc import Generator

import mlx.core as mx

from speechmlx.engines.parts.causal_estimator import embedded_time, transformers
from speechmlx.engines.parts.pace import Layer, LayerPace, framed, same
from speechmlx.engines.parts.tensors import Tensors, mish

GROUPS = 8
"""Of the channels that are normalised apart."""


class UNetEstimator:
    """Residual blocks of convolutions, each with transformers after it. Every frame sees all."""

    def __init__(self, tensors: Tensors, heads: int) -> None:
        self._tensors, self._heads = tensors, heads

    def steps(self, x: mx.array, time: mx.array, pace: LayerPace) -> Generator[None, None, mx.array]:
        """x [b, t, c]: the spectrogram so far, then its conditions; time [b] from 0 to 1 → direction [b, t, bands].

        In bounded steps. The last convolutions are not computed yet.
        """
        tensors, embedded = self._tensors, embedded_time(self._tensors, time)

        def computed(x: mx.array, *names: str) -> Generator[None, None, mx.array]:
            layers = [layer for name in names for layer in self._block(name, embedded)]
            return (yield from pace.run(layers, x, "estimator"))

        upper = yield from computed(x, "down_blocks.0")
        x = tensors.conv("down_blocks.0.2.conv", upper, stride=2, padding=1)
        lower = yield from computed(x, "down_blocks.1")
        mids = [f"mid_blocks.{number}" for number in range(tensors.count("mid_blocks"))]
        x = yield from computed(tensors.conv("down_blocks.1.2", lower, padding=1), *mids)
        x = yield from computed(mx.concatenate([x, lower], axis=-1), "up_blocks.0")
        x = tensors.transposed_conv("up_blocks.0.2.conv", x, stride=2, padding=1)[:, : upper.shape[1]]
        x = yield from computed(mx.concatenate([x, upper], axis=-1), "up_blocks.1")
        x = tensors.conv("up_blocks.1.2", x, padding=1)
        return tensors.conv("final_proj", _convolved(tensors.under("final_block"), x))

    def _block(self, name: str, embedded: mx.array) -> list[Layer]:
        """The transformers of a block, the first of them behind the convolutions."""
        block = self._tensors.under(f"{name}.0")

        def convolved(x: mx.array) -> mx.array:
            y = _convolved(block.under("block1"), x) + block.linear("mlp.1", embedded)
            return _convolved(block.under("block2"), y) + block.conv("res_conv", x)

        return framed(convolved, transformers(self._tensors, name, self._heads), same)


def _convolved(tensors: Tensors, x: mx.array) -> mx.array:
    """A convolution, a normalisation and Mish."""
    return mish(tensors.group_norm("block.1", tensors.conv("block.0", x, padding=1), GROUPS))
