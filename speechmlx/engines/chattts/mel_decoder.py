"""States of the language model → frames of a spectrogram, two each, by ConvNeXt blocks."""

from __future__ import annotations

import mlx.core as mx

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
        tensors = self._tensors
        x = states.reshape(1, FRAMES * states.shape[0], -1)  # each state is those of its frames, one behind the other
        x = gelu(tensors.conv("decoder.conv_in.0", x, padding=1))
        x = tensors.conv("decoder.conv_in.2", x, padding=1)
        for number in range(self._blocks):
            x = x + self._block(tensors.under(f"decoder.decoder_block.{number}"), x)
        x = tensors.conv("out_conv", tensors.conv("decoder.conv_out", x), padding=1)
        return (x * tensors["coef"])[0]

    def _block(self, tensors: Tensors, x: mx.array) -> mx.array:
        padding = NEAR // 2 * SPREAD
        y = tensors.conv("dwconv", x, padding=padding, dilation=SPREAD, groups=x.shape[-1])
        y = gelu(tensors.linear("pwconv1", tensors.norm("norm", y, EPSILON)))
        return tensors.linear("pwconv2", y) * tensors["weight"]
