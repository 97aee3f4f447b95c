"""Firefly, the codec of FishSpeech: 44.1 kHz samples → codes of frames of 2048 samples, and codes → samples.

All of it is causal: a stream of codes in any pieces gives the samples of the whole, and a recording is heard in steps.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from typing import Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.finite import finite
from speechmlx.engines.parts.activations import gelu, silu
from speechmlx.engines.parts.causal_conv import (
    CausalConv,
    CausalUpsample,
    Past,
    StreamLayer,
    StreamRows,
    first_of,
    upsampling_kernel,
)
from speechmlx.engines.parts.mel_bands import log_magnitudes, reflected
from speechmlx.engines.parts.tensors import Tensors

RATE, FFT, HOP, BANDS = 44_100, 2048, 512, 160
HIGHEST, LEAST = 22_050.0, 1e-6
"""Hz of the highest band, and what is added to the power of each bin."""
LEVELS = (8, 5, 5, 5)
"""Values of each number of a code."""
DILATIONS = (1, 3, 5)
EPSILON = 1e-6
"""Of the norms."""
PIECE = 128
"""Frames of a spectrogram that are heard in one step: 1.5 s. A multiple of those of a code."""


class FireflyPart(StreamLayer, Protocol):
    """A layer of the codec."""

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        """x [B, T, in] → [B, T', out]."""


class FireflyDecoder:
    """codes → samples. `fused`: a step is one compiled graph for each number of streams and frames, for a GPU."""

    def __init__(self, tensors: Tensors, fused: bool = False) -> None:
        """`tensors`: those of the converted file."""
        self._codes = FsqCodes(tensors.under("quantizer.residual_fsq"))
        up = tensors.under("quantizer.upsample")
        self._parts: list[FireflyPart] = []
        for number in range(tensors.count("quantizer.upsample")):
            self._parts += [_upsampling(up.under(f"{number}.0"), overlap=1), FireflyBlock(up.under(f"{number}.1"))]
        head = tensors.under("head")
        self._parts.append(_conv(head.under("conv_pre")))
        for number in range(head.count("ups")):
            self._parts += [_Silu(), _upsampling(head.under(f"ups.{number}"), overlap=2)]
            self._parts.append(ParallelUnits(head.under(f"resblocks.{number}")))
        self._parts += [_Silu(), _conv(head.under("conv_post"))]
        strides = [part.stride for part in self._parts if isinstance(part, FireflyUpsample)]
        self.frame = math.prod(strides)
        """Samples of a frame."""
        self.books = self._codes.books
        self._run = mx.compile(self._compute) if fused else self._compute

    def open(self, rows: int) -> StreamRows:
        """The state of `rows` new streams. Its size does not depend on how long they go on."""
        return StreamRows(first_of(self._parts, rows))

    def step(self, codes: mx.array, state: StreamRows) -> mx.array:
        """The samples [B, F * frame] of the next frames `codes` [B, codebooks, F] (int32) of B streams, in -1 to 1.

        Nothing is evaluated: evaluate the samples and `state.arrays` together.
        """
        samples, state.arrays = self._run(codes, state.arrays)
        return samples

    def _compute(self, codes: mx.array, arrays: list[mx.array]) -> tuple[mx.array, list[mx.array]]:
        past = Past(arrays)
        x = self._codes.values(codes)
        for part in self._parts:
            x = part(x, past)
        return mx.tanh(x[..., 0]), past.after


class FireflyEncoder:
    """samples → codes."""

    def __init__(self, tensors: Tensors) -> None:
        self._codes = FsqCodes(tensors.under("quantizer.residual_fsq"))
        backbone, down = tensors.under("backbone"), tensors.under("quantizer.downsample")
        self._parts: list[FireflyPart] = []
        for stage in range(backbone.count("stages")):
            entry, blocks = backbone.under(f"downsample_layers.{stage}"), backbone.under(f"stages.{stage}")
            if stage:
                self._parts += [_Norm(entry.under("0")), CausalConv(entry["1.weight"], entry["1.bias"])]
            else:
                self._parts += [_conv(entry.under("0")), _Norm(entry.under("1"))]
            self._parts += [
                FireflyBlock(blocks.under(str(block))) for block in range(backbone.count(f"stages.{stage}"))
            ]
        self._parts.append(_Norm(backbone.under("norm")))
        for number in range(tensors.count("quantizer.downsample")):
            conv = down.under(f"{number}.0.conv")
            self._parts.append(CausalConv(conv["weight"], conv["bias"], stride=conv["weight"].shape[1]))
            self._parts.append(FireflyBlock(down.under(f"{number}.1")))

    def codes(self, samples: NDArray[np.float32]) -> Generator[None, None, NDArray[np.int32]]:
        """samples [n] at RATE, n > FFT → codes [codebooks, frames], in short steps. Raises NotFinite."""
        padded = reflected(samples, FFT, HOP)
        arrays, found = first_of(self._parts, 1), list[NDArray[np.int32]]()
        for at in range(0, len(samples) // HOP, PIECE):
            window = padded[at * HOP : (at + PIECE - 1) * HOP + FFT]
            past, x = Past(arrays), mx.array(log_magnitudes(window, RATE, FFT, HOP, BANDS, HIGHEST, LEAST))[None]
            for part in self._parts:
                x = part(x, past)
            codes, arrays = self._codes.nearest(x), past.after
            mx.eval(codes, arrays, x)
            finite(np.array(x), "the codec's encoder")
            found.append(np.array(codes[0]))
            yield
        return np.concatenate(found, axis=1)


class FsqCodes:
    """Finite scalar quantisation in groups: a group of channels is four numbers of few values, which make one code."""

    def __init__(self, tensors: Tensors) -> None:
        self.books = tensors.count("rvqs")
        groups = [tensors.under(f"rvqs.{number}") for number in range(self.books)]
        self._inward = mx.stack([group["project_in.weight"].T for group in groups])
        self._inward_bias = mx.stack([group["project_in.bias"] for group in groups])
        self._outward = mx.stack([group["project_out.weight"].T for group in groups])
        self._outward_bias = mx.stack([group["project_out.bias"] for group in groups])
        levels = np.array(LEVELS)
        self._most = int(levels.prod()) - 1
        self._levels, self._half = mx.array(levels.astype(np.int32)), mx.array((levels // 2).astype(np.float32))
        self._basis = mx.array(np.cumprod([1, *LEVELS[:-1]]).astype(np.int32))
        reach = (levels - 1) * (1 + 1e-3) / 2
        offset = np.where(levels % 2 == 0, 0.5, 0.0)
        self._reach, self._offset, self._shift = (
            mx.array(values.astype(np.float32)) for values in (reach, offset, np.arctanh(offset / reach))
        )

    def nearest(self, x: mx.array) -> mx.array:
        """[B, T, channels] → codes int32 [B, codebooks, T]."""
        rows, length, channels = x.shape
        groups = x.reshape(rows, length, self.books, channels // self.books).swapaxes(1, 2)
        numbers = groups @ self._inward + self._inward_bias[:, None]
        # Twice, as the reference does: once for what the residual is of, once for the quantiser.
        levels = mx.round(self._bound(self._bound(numbers))) + self._half
        return (levels.astype(mx.int32) * self._basis).sum(axis=-1).astype(mx.int32)

    def _bound(self, x: mx.array) -> mx.array:
        return mx.tanh(x + self._shift) * self._reach - self._offset

    def values(self, codes: mx.array) -> mx.array:
        """codes int32 [B, codebooks, T] → [B, T, channels]. Codes beyond the last one count as that."""
        levels = mx.minimum(codes, self._most)[..., None] // self._basis % self._levels
        numbers = (levels.astype(mx.float32) - self._half) / self._half
        groups = numbers @ self._outward + self._outward_bias[:, None]
        rows, _, length, _ = groups.shape
        return groups.swapaxes(1, 2).reshape(rows, length, -1)


class FireflyBlock:
    """A ConvNeXt block: a convolution of each channel by itself, then two linear layers, beside the input."""

    def __init__(self, tensors: Tensors) -> None:
        mix = tensors["dwconv.conv.weight"]
        self._mix = CausalConv(mix, tensors["dwconv.conv.bias"], groups=len(mix))
        self.first = self._mix.first
        self._norm = _Norm(tensors.under("norm"))
        self._inward, self._outward = partial(tensors.linear, "pwconv1"), partial(tensors.linear, "pwconv2")
        self._gamma = tensors["gamma"]

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return x + self._gamma * self._outward(gelu(self._inward(self._norm(self._mix(x, past), past))))


class ParallelUnits:
    """The mean of units with kernels of several lengths."""

    def __init__(self, tensors: Tensors) -> None:
        count = tensors.count("blocks")
        self._units = [_DilatedUnit(tensors.under(f"blocks.{number}")) for number in range(count)]

    def first(self, rows: int) -> list[mx.array]:
        return first_of(self._units, rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return mx.stack([unit(x, past) for unit in self._units]).mean(axis=0)


class _DilatedUnit:
    """Pairs of dilated convolutions, each beside its input."""

    def __init__(self, tensors: Tensors) -> None:
        self._pairs = [
            tuple(_conv(tensors.under(f"{name}.{number}"), dilation) for name in ("convs1", "convs2"))
            for number, dilation in enumerate(DILATIONS)
        ]

    def first(self, rows: int) -> list[mx.array]:
        return first_of((conv for pair in self._pairs for conv in pair), rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        for one, other in self._pairs:
            x = x + other(silu(one(silu(x), past)), past)
        return x


class FireflyUpsample(CausalUpsample):
    """A transposed convolution that makes `stride` values of each."""

    def __init__(self, weight: mx.array, bias: mx.array, stride: int) -> None:
        super().__init__(upsampling_kernel(weight, stride), bias, stride)
        self.stride = stride


class _Norm:
    """Layer normalisation over the channels. It remembers nothing."""

    def __init__(self, tensors: Tensors) -> None:
        self._gain, self._shift = tensors["weight"], tensors["bias"]

    def first(self, rows: int) -> list[mx.array]:
        return []

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return mx.fast.layer_norm(x, self._gain, self._shift, EPSILON)


class _Silu:
    """An activation, which remembers nothing."""

    def first(self, rows: int) -> list[mx.array]:
        return []

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return silu(x)


def _conv(tensors: Tensors, dilation: int = 1) -> CausalConv:
    return CausalConv(tensors["conv.weight"], tensors["conv.bias"], dilation=dilation)


def _upsampling(tensors: Tensors, overlap: int) -> FireflyUpsample:
    """`overlap`: how many inputs each output is made of."""
    weight = tensors["conv.weight"]
    return FireflyUpsample(weight, tensors["conv.bias"], weight.shape[1] // overlap)
