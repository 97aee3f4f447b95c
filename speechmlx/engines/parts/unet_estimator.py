"""The network of CosyVoice 1's flow: the direction from noise to a mel spectrogram. A U-net of two levels."""

from __future__ import annotations

from collections.abc import Generator

import mlx.core as mx

from speechmlx.engines.parts.causal_estimator import embedded_time, transformed
from speechmlx.engines.parts.tensors import Tensors, mish

GROUPS = 8
"""Of the channels that are normalised apart."""
TOGETHER = 4
"""Blocks computed in a step."""


class UNetEstimator:
    """Residual blocks of convolutions, each with transformers after it. Every frame sees all."""

    def __init__(self, tensors: Tensors, heads: int) -> None:
        self._tensors, self._heads = tensors, heads

    def steps(self, x: mx.array, time: mx.array) -> Generator[None, None, mx.array]:
        """x [b, t, c]: the spectrogram so far, then its conditions; time [b] from 0 to 1 → direction [b, t, bands].

        In steps of TOGETHER blocks, of which the last one is not computed yet.
        """
        tensors = self._tensors
        embedded = embedded_time(tensors, time, x.shape[-1])
        upper = self._block("down_blocks.0", x, embedded)
        lower = self._block("down_blocks.1", tensors.conv("down_blocks.0.2.conv", upper, stride=2, padding=1), embedded)
        x = tensors.conv("down_blocks.1.2", lower, padding=1)
        mx.eval(x)
        yield
        for number in range(tensors.count("mid_blocks")):
            x = self._block(f"mid_blocks.{number}", x, embedded)
            if number % TOGETHER == TOGETHER - 1:
                mx.eval(x)
                yield
        x = self._block("up_blocks.0", mx.concatenate([x, lower], axis=-1), embedded)
        x = tensors.transposed_conv("up_blocks.0.2.conv", x, stride=2, padding=1)[:, : upper.shape[1]]
        x = self._block("up_blocks.1", mx.concatenate([x, upper], axis=-1), embedded)
        x = tensors.conv("up_blocks.1.2", x, padding=1)
        return tensors.conv("final_proj", _convolved(tensors.under("final_block"), x))

    def _block(self, name: str, x: mx.array, embedded: mx.array) -> mx.array:
        block = self._tensors.under(f"{name}.0")
        y = _convolved(block.under("block1"), x) + block.linear("mlp.1", embedded)
        x = _convolved(block.under("block2"), y) + block.conv("res_conv", x)
        for number in range(self._tensors.count(f"{name}.1")):
            x = transformed(self._tensors.under(f"{name}.1.{number}"), x, self._heads)
        return x


def _convolved(tensors: Tensors, x: mx.array) -> mx.array:
    """A convolution, a normalisation and Mish."""
    return mish(tensors.group_norm("block.1", tensors.conv("block.0", x, padding=1), GROUPS))
