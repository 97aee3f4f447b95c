"""States of the language model → frames of a spectrogram, two each, by ConvNeXt blocks."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.pace import Layer, applied, framed
from speechmlx.engines.parts.tensors import Tensors, gelu

FRAMES = 2
"""Frames of a state: 93.75 a second."""
EPSILON = 1e-6
NEAR, SPREAD = 7, 2
"""Taps of a block's convolution, and frames from one to the next."""


class MelDecoder:
    """The network. `tensors` have their published names, convolutions as [out, taps, in], and `coef` [bands]."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._blocks = tensors.count("decoder.decoder_block")

    @property
    def reach(self) -> int:
        """Frames before and after a frame that it depends on: three convolutions of 3 taps, and the blocks."""
        return 3 + self._blocks * (NEAR // 2) * SPREAD

    def __call__(self, states: mx.array) -> mx.array:
        """States [t, width] → logarithms of mel bands [FRAMES * t, bands]."""
        return applied(self.layers(), states[None])

    def layers(self) -> list[Layer]:
        """One after another they do the same as a call, of states [1, t, width]."""
        blocks = [partial(self._block, self._tensors.under(f"decoder.decoder_block.{n}")) for n in range(self._blocks)]
        return framed(self._begun, blocks, self._ended)

    def _begun(self, states: mx.array) -> mx.array:
        tensors = self._tensors
        x = states.reshape(1, FRAMES * states.shape[1], -1)  # each state is those of its frames, one behind the other
        x = gelu(tensors.conv("decoder.conv_in.0", x, padding=1))
        return tensors.conv("decoder.conv_in.2", x, padding=1)

    def _ended(self, x: mx.array) -> mx.array:
        tensors = self._tensors
        x = tensors.conv("out_conv", tensors.conv("decoder.conv_out", x), padding=1)
        return (x * tensors["coef"])[0]

    def _block(self, tensors: Tensors, x: mx.array) -> mx.array:
        padding = NEAR // 2 * SPREAD
        y = tensors.conv("dwconv", x, padding=padding, dilation=SPREAD, groups=x.shape[-1])
        y = gelu(tensors.linear("pwconv1", tensors.norm("norm", y, EPSILON)))
        return x + tensors.linear("pwconv2", y) * tensors["weight"]
