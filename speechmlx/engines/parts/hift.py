"""HiFT: a mel spectrogram → samples, by a source at its pitch and an inverse Fourier transform. CosyVoice's vocoder."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from math import prod

import mlx.core as mx
import numpy as np

from speechmlx.engines.parts.harmonic_source import HarmonicSource, Phases
from speechmlx.engines.parts.pace import Layer, LayerPace, framed, same
from speechmlx.engines.parts.tensors import Tensors, leaky_relu

FFT, HOP = 16, 4
BINS = FFT // 2 + 1
SLOPE = 0.1
LOUDEST = 100.0
"""Magnitude at which a bin is cut off."""
LIMIT = 0.99
"""Largest sample."""
BANDS = 80
DILATIONS = (1, 3, 5)


@dataclass(frozen=True)
class Reach:
    """Frames before and after a frame that it depends on."""

    before: int
    after: int


@dataclass(frozen=True)
class HiftShape:
    """What the weights of the network do not tell."""

    rate: int = 24_000
    """Hz."""
    upsampling: tuple[int, ...] = (8, 5, 3)
    causal: bool = False
    """A frame sees few frames after it: CosyVoice 3's."""
    by_sample: bool = False
    """The phase of the source goes on sample by sample: CosyVoice 1's."""

    @property
    def pitch(self) -> Reach:
        """What the pitch of a frame depends on."""
        return Reach(8, 3) if self.causal else Reach(5, 5)

    @property
    def samples(self) -> Reach:
        """What the samples of a frame depend on: the spectrogram, and the source, which reaches a frame further."""
        return Reach(30, 5) if self.causal else Reach(15, 15)

    @property
    def phases(self) -> Phases:
        """How the phase of the source goes on."""
        if self.causal:
            return Phases.BY_FRAME
        return Phases.BY_SAMPLE if self.by_sample else Phases.BETWEEN

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return prod(self.upsampling) * HOP


FIRST = HiftShape(rate=22_050, upsampling=(8, 8), by_sample=True)
"""CosyVoice 1's."""


class Hift:
    """The network, in float32. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, pace: LayerPace, shape: HiftShape = HiftShape()) -> None:
        self._tensors, self._pace, self.shape = tensors, pace, shape
        self._analysis, self._synthesis, self._window = _fourier()

    def pitch(self, mel: mx.array) -> mx.array:
        """mel [1, t, BANDS] → Hz [t]."""
        x, tensors = mel, self._tensors.under("f0_predictor")
        for number in range(0, 10, 2):
            x = self._ahead(tensors, "condnet.0", x) if not number else self._conv(tensors, f"condnet.{number}", x)
            x = mx.where(x > 0, x, mx.exp(mx.minimum(x, 0)) - 1)
        return mx.abs(tensors.linear("classifier", x))[0, :, 0]

    def source(self, seed: int) -> HarmonicSource:
        """What makes the source signal of one sound; its noise is that of `seed`."""
        weight, bias = (np.array(self._tensors[f"m_source.l_linear.{name}"]) for name in ("weight", "bias"))
        random = np.random.default_rng(seed)
        return HarmonicSource(weight[0], bias, self.shape.rate, self.shape.frame, random, self.shape.phases)

    def samples(self, mel: mx.array, source: mx.array) -> Generator[None, None, mx.array]:
        """mel [1, t, BANDS] and its source signal [t * frame] → samples [t * frame], in bounded steps."""
        spectrum, stages = self._spectrum(source), range(len(self.shape.upsampling))
        layers = [layer for stage in stages for layer in self._stage(stage, spectrum)]
        begun = partial(self._ahead, self._tensors, "conv_pre")
        return (yield from self._pace.run(framed(begun, layers, self._ended), mel, "vocoder"))

    def _stage(self, stage: int, spectrum: mx.array) -> list[Layer]:
        """More frames, and the sum of residual blocks of them. Each layer takes about as long, whatever the stage."""
        stages, begun = len(self.shape.upsampling), list[mx.array]()
        each = self._tensors.count("resblocks") // stages
        blocks = [f"resblocks.{number}" for number in range(stage * each, (stage + 1) * each)]

        def begin(x: mx.array) -> mx.array:
            x = self._upsampled(f"ups.{stage}", leaky_relu(x, SLOPE), self.shape.upsampling[stage])
            if stage == stages - 1:
                x = mx.concatenate([x[:, 1:2], x], axis=1)
            begun.append(x + self._heard(stage, spectrum))
            return begun[0]

        def add(name: str, x: mx.array) -> mx.array:
            found = self._residual(name, begun[0])
            return found if name == blocks[0] else x + found

        return [begin, *framed(same, [partial(add, name) for name in blocks], lambda x: x / each)]

    def _ended(self, x: mx.array) -> mx.array:
        x = self._conv(self._tensors, "conv_post", leaky_relu(x))
        return mx.clip(self._inverse(x[0]), -LIMIT, LIMIT)

    def _conv(self, tensors: Tensors, name: str, x: mx.array, dilation: int = 1) -> mx.array:
        """A convolution over the frames around each frame, or those before it."""
        if self.shape.causal:
            return tensors.causal_conv(name, x, dilation=dilation)
        reach = (tensors[f"{name}.weight"].shape[1] - 1) * dilation
        return tensors.conv(name, x, padding=reach // 2, dilation=dilation)

    def _ahead(self, tensors: Tensors, name: str, x: mx.array) -> mx.array:
        """A convolution over the frames around each frame, or those after it."""
        if not self.shape.causal:
            return self._conv(tensors, name, x)
        return tensors.conv(name, mx.pad(x, [(0, 0), (0, tensors[f"{name}.weight"].shape[1] - 1), (0, 0)]))

    def _upsampled(self, name: str, x: mx.array, factor: int) -> mx.array:
        if self.shape.causal:
            return self._tensors.causal_conv(name, mx.repeat(x, factor, axis=1))
        taps = self._tensors[f"{name}.weight"].shape[1]
        return self._tensors.transposed_conv(name, x, stride=factor, padding=(taps - factor) // 2)

    def _heard(self, stage: int, spectrum: mx.array) -> mx.array:
        """The source's spectrum at the rate of a stage."""
        stride = prod(self.shape.upsampling[stage + 1 :])
        around = (stride - 1, 0) if self.shape.causal else (stride // 2, stride // 2)
        x = self._tensors.conv(f"source_downs.{stage}", mx.pad(spectrum, [(0, 0), around, (0, 0)]), stride=stride)
        return self._residual(f"source_resblocks.{stage}", x)

    def _residual(self, name: str, x: mx.array) -> mx.array:
        tensors = self._tensors.under(name)
        for number, dilation in enumerate(DILATIONS):
            y = _snake(x, tensors[f"activations1.{number}.alpha"])
            y = self._conv(tensors, f"convs1.{number}", y, dilation)
            y = _snake(y, tensors[f"activations2.{number}.alpha"])
            x = x + self._conv(tensors, f"convs2.{number}", y)
        return x

    def _spectrum(self, samples: mx.array) -> mx.array:
        """samples [n] → real parts, then imaginary ones [1, n // HOP + 1, 2 * BINS]; the ends are mirrored."""
        half = FFT // 2
        padded = mx.concatenate([samples[half:0:-1], samples, samples[-2 : -2 - half : -1]])
        frames = mx.as_strided(padded, (len(samples) // HOP + 1, FFT), (HOP, 1))
        return (frames @ self._analysis)[None]

    def _inverse(self, x: mx.array) -> mx.array:
        """Logarithms of magnitudes, then phases before a sine [t, 2 * BINS] → samples [(t - 1) * HOP]."""
        magnitude = mx.minimum(mx.exp(x[:, :BINS]), LOUDEST)
        phase = mx.sin(x[:, BINS:])
        bins = mx.concatenate([magnitude * mx.cos(phase), magnitude * mx.sin(phase)], axis=-1)
        summed = _overlapped(bins @ self._synthesis)
        weight = _overlapped(mx.broadcast_to(self._window**2, (len(x), FFT)))
        return (summed / mx.maximum(weight, 1e-11))[FFT // 2 : -FFT // 2]


def _snake(x: mx.array, alpha: mx.array) -> mx.array:
    return x + mx.square(mx.sin(x * alpha)) / (alpha + 1e-9)


def _overlapped(frames: mx.array) -> mx.array:
    """frames [t, FFT] that begin HOP samples apart → their sum [(t - 1) * HOP + FFT]."""
    parts = FFT // HOP
    pieces = frames.reshape(len(frames), parts, HOP)
    padded = [mx.pad(pieces[:, part], [(part, parts - 1 - part), (0, 0)]) for part in range(parts)]
    return sum(padded, mx.array(0.0)).reshape(-1)


def _fourier() -> tuple[mx.array, mx.array, mx.array]:
    """Matrices of the windowed transform [FFT, 2 * BINS] and of its inverse [2 * BINS, FFT], and the window [FFT]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    angles = 2 * np.pi * np.outer(np.arange(FFT), np.arange(BINS)) / FFT
    weights = np.where((np.arange(BINS) % (FFT // 2)) == 0, 1.0, 2.0)[:, None] / FFT
    analysis = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1) * window[:, None]
    synthesis = np.concatenate([weights * np.cos(angles.T), -weights * np.sin(angles.T)]) * window
    first, second, third = (mx.array(matrix.astype(np.float32)) for matrix in (analysis, synthesis, window))
    return first, second, third
