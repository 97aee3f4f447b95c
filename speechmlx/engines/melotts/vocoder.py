"""The vocoder of MeloTTS, HiFi-GAN: latent frames → samples, in windows that overlap by what a sample depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import mlx.core as mx

from speechmlx.engines.melotts.relative_encoder import same_conv
from speechmlx.engines.parts.causal_conv import upsampling_kernel
from speechmlx.engines.parts.tensors import Tensors, leaky_relu

SLOPE = 0.1
WINDOW = 128
"""Frames whose samples are made at once: 1.5 s."""


class HifiGan:
    """The network, in float32. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, upsampling: Sequence[int], dilations: Sequence[Sequence[int]]) -> None:
        """`upsampling`: by how much each stage is faster; `dilations`: of the convolutions of each of its blocks."""
        self._tensors, self._upsampling, self._dilations = tensors, tuple(upsampling), tuple(map(tuple, dilations))
        self._kernels = [
            upsampling_kernel(tensors[f"ups.{stage}.weight"], factor) for stage, factor in enumerate(self._upsampling)
        ]
        self.frame = prod(self._upsampling)
        """Samples of a frame."""
        self.reach = self._reach()
        """Frames before and after a frame that its samples depend on, at most."""

    def __call__(self, z: mx.array, speaker: mx.array) -> Iterator[mx.array | None]:
        """z [1, n, l] and the speaker [1, 1, g] → samples [m], None after other steps."""
        frames = z.shape[1]
        for start in range(0, frames, WINDOW):
            end = min(start + WINDOW, frames)
            first = max(0, start - self.reach)
            samples = None
            for x in self._stages(z[:, first : min(end + self.reach, frames)], speaker):
                mx.eval(x)
                yield None
                samples = x
            assert samples is not None
            yield samples[0, (start - first) * self.frame : (end - first) * self.frame, 0]

    def _stages(self, z: mx.array, speaker: mx.array) -> Iterator[mx.array]:
        """What is to be evaluated in a step each; the last are the samples [1, m, 1]."""
        tensors = self._tensors
        x = same_conv(tensors, "conv_pre", z) + tensors.conv("cond", speaker)
        blocks = len(self._dilations)
        for stage, factor in enumerate(self._upsampling):
            up = self._faster(stage, leaky_relu(x, SLOPE), factor)
            x = mx.zeros_like(up)
            for number, dilations in enumerate(self._dilations):
                x = x + self._residual(stage * blocks + number, up, dilations)
                yield x
            x = x / blocks
        yield mx.tanh(same_conv(tensors, "conv_post", leaky_relu(x)))

    def _faster(self, stage: int, x: mx.array, factor: int) -> mx.array:
        """A transposed convolution, as a plain one that makes `factor` frames at once."""
        kernel = self._kernels[stage]
        before = kernel.shape[1] - 1
        y = mx.conv1d(x, kernel, padding=before).reshape(1, (x.shape[1] + before) * factor, -1)
        ends = before * factor // 2
        return y[:, ends : ends + x.shape[1] * factor] + self._tensors[f"ups.{stage}.bias"]

    def _residual(self, number: int, x: mx.array, dilations: Sequence[int]) -> mx.array:
        tensors = self._tensors.under(f"resblocks.{number}")
        for place, dilation in enumerate(dilations):
            y = same_conv(tensors, f"convs1.{place}", leaky_relu(x, SLOPE), dilation)
            x = x + same_conv(tensors, f"convs2.{place}", leaky_relu(y, SLOPE))
        return x

    def _reach(self) -> int:
        tensors, blocks = self._tensors, len(self._dilations)
        reach = tensors["conv_post.weight"].shape[1] // 2
        for stage, factor in reversed(list(enumerate(self._upsampling))):
            taps = [
                tensors[f"resblocks.{stage * blocks + number}.convs1.0.weight"].shape[1] for number in range(blocks)
            ]
            reach += max(
                (count - 1) // 2 * (sum(dilations) + len(dilations))
                for count, dilations in zip(taps, self._dilations, strict=True)
            )
            reach = -(-(reach + tensors[f"ups.{stage}.weight"].shape[1]) // factor)
        return reach + tensors["conv_pre.weight"].shape[1] // 2
