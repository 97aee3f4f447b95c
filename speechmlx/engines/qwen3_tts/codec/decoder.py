"""codes → samples: 16 codebooks, a transformer over a window, two upsamplings, and a vocoder of convolutions.

All of it is causal, so a frame of codes gives its samples at once. Streams are stepped in a batch: they may be of any
age, and join and leave between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.activations import gelu, silu, snake
from speechmlx.engines.parts.causal_conv import CausalConv, CausalUpsample, Past, StreamRows, first_of
from speechmlx.engines.qwen3_tts.codec.attention import WindowedAttention, WindowMask
from speechmlx.engines.qwen3_tts.codec.checkpoint import DILATIONS
from speechmlx.engines.qwen3_tts.codec.shape import AttentionShape, DecoderShape

Weights = Mapping[str, mx.array]
Stepper = Callable[[mx.array, list[mx.array]], tuple[mx.array, list[mx.array]]]

NORM_EPSILON = 1e-6
"""Of the norms in the upsampling blocks."""


class CodecDecoder:
    """The decoder; `weights` are those of `checkpoint.codec_weights`, evaluated.

    `fused`: a step is one compiled graph for each number of streams and frames. For a GPU: a CPU would have it built by
    a C++ compiler.
    """

    def __init__(self, weights: Weights, shape: DecoderShape, fused: bool = False) -> None:
        self.frame = shape.frame
        """Samples of a frame, at 24 kHz."""
        self.codebooks = shape.num_quantizers
        self._table, self._places = weights["quantizer.table"], mx.arange(self.codebooks) * shape.codebook_size
        self._first, self._rest = weights["quantizer.first"].T, weights["quantizer.rest"].T
        self._entry = CausalConv(weights["entry.weight"], weights["entry.bias"])
        self._transformer = _Transformer(weights, shape.attention)
        self._upsampling: list[CausalUpsample | _ConvNext] = []
        for step, ratio in enumerate(shape.upsampling_ratios):
            self._upsampling.append(_upsample(weights, f"upsample.{step}", ratio))
            self._upsampling.append(_ConvNext(weights, f"upsample.{step}.block"))
        self._vocoder = _Vocoder(weights, shape.upsample_rates)
        self._run: Stepper = mx.compile(self._compute) if fused else self._compute

    def open(self, rows: int) -> StreamRows:
        """The state of `rows` new streams. Its size does not depend on how long they go on."""
        return StreamRows(first_of((self._entry, self._transformer, *self._upsampling, self._vocoder), rows))

    def step(self, codes: mx.array, state: StreamRows) -> mx.array:
        """The samples [B, F * frame] of the next frames `codes` [B, codebooks, F] (int32) of B streams, in -1 to 1.

        Nothing is evaluated: evaluate the samples and `state.arrays` together. A code that is none of its codebook's
        gives noise.
        """
        samples, state.arrays = self._run(codes, state.arrays)
        return samples

    def _compute(self, codes: mx.array, arrays: list[mx.array]) -> tuple[mx.array, list[mx.array]]:
        past = Past(arrays)
        x = self._entry(self._dequantized(codes), past)
        x = self._transformer(x, past)
        for part in self._upsampling:
            x = part(x, past)
        return self._vocoder(x, past), past.after

    def _dequantized(self, codes: mx.array) -> mx.array:
        """codes [B, codebooks, F] → [B, F, width]: the first codebook's vector beside the sum of the others'."""
        vectors = self._table[codes.swapaxes(1, 2) + self._places]
        return vectors[:, :, 0] @ self._first + vectors[:, :, 1:].sum(axis=2) @ self._rest


class _Transformer:
    def __init__(self, weights: Weights, shape: AttentionShape) -> None:
        name = "transformer"
        self._mask = WindowMask(shape.window)
        self._layers = [_Layer(weights, f"{name}.{layer}", shape) for layer in range(shape.layers)]
        self._inward = _linear(weights, f"{name}.inward")
        self._norm = partial(mx.fast.rms_norm, weight=weights[f"{name}.norm.weight"], eps=shape.epsilon)
        self._outward = _linear(weights, f"{name}.outward")

    def first(self, rows: int) -> list[mx.array]:
        return first_of((self._mask, *self._layers), rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        mask = self._mask(x.shape[1], past)
        x = self._inward(x)
        for layer in self._layers:
            x = layer(x, mask, past)
        return self._outward(self._norm(x))


class _Layer:
    def __init__(self, weights: Weights, name: str, shape: AttentionShape) -> None:
        self._attention = WindowedAttention(weights, f"{name}.attention", shape)
        self.first = self._attention.first
        self._attention_norm, self._feed_norm = (
            partial(mx.fast.rms_norm, weight=weights[f"{name}.{part}_norm.weight"], eps=shape.epsilon)
            for part in ("attention", "feed")
        )
        self._inward, self._outward = weights[f"{name}.feed.inward"].T, weights[f"{name}.feed.outward"].T

    def __call__(self, x: mx.array, mask: mx.array, past: Past) -> mx.array:
        x = x + self._attention(self._attention_norm(x), mask, past)
        gate, up = mx.split(self._feed_norm(x) @ self._inward, 2, axis=-1)
        return x + (silu(gate) * up) @ self._outward


class _ConvNext:
    """A convolution of each channel by itself, then two linear layers, beside the input."""

    def __init__(self, weights: Weights, name: str) -> None:
        mix = weights[f"{name}.mix.weight"]
        self._mix = CausalConv(mix, weights[f"{name}.mix.bias"], groups=len(mix))
        self.first = self._mix.first
        self._gain, self._shift = (weights[f"{name}.norm.{part}"] for part in ("weight", "bias"))
        self._inward, self._outward = _linear(weights, f"{name}.inward"), _linear(weights, f"{name}.outward")

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        mixed = mx.fast.layer_norm(self._mix(x, past), self._gain, self._shift, NORM_EPSILON)
        return x + self._outward(gelu(self._inward(mixed)))


class _Vocoder:
    """Hidden states [B, T, width] → samples [B, T * product of the rates]."""

    def __init__(self, weights: Weights, rates: tuple[int, ...]) -> None:
        name = "vocoder"
        self._parts: list[CausalConv | CausalUpsample | _Snake | _Unit] = [_conv(weights, f"{name}.entry")]
        for block, rate in enumerate(rates):
            at = f"{name}.{block}"
            self._parts += [_Snake(weights, f"{at}.snake"), _upsample(weights, f"{at}.up", rate)]
            self._parts += [_Unit(weights, f"{at}.{unit}", dilation) for unit, dilation in enumerate(DILATIONS)]
        self._parts += [_Snake(weights, f"{name}.snake"), _conv(weights, f"{name}.exit")]

    def first(self, rows: int) -> list[mx.array]:
        return first_of(self._parts, rows)

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        for part in self._parts:
            x = part(x, past)
        return mx.clip(x[..., 0], -1, 1).astype(mx.float32)


class _Unit:
    """Two activations and convolutions, beside the input."""

    def __init__(self, weights: Weights, name: str, dilation: int) -> None:
        self._snakes = [_Snake(weights, f"{name}.snake{number}") for number in (1, 2)]
        self._wide, self._point = _conv(weights, f"{name}.conv1", dilation), _linear_conv(weights, f"{name}.conv2")
        self.first = self._wide.first

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        y = self._wide(self._snakes[0](x, past), past)
        return x + self._point(self._snakes[1](y, past))


class _Snake:
    """An activation, which remembers nothing."""

    def __init__(self, weights: Weights, name: str) -> None:
        self._speed, self._depth = weights[f"{name}.speed"], weights[f"{name}.depth"]

    def first(self, rows: int) -> list[mx.array]:
        return []

    def __call__(self, x: mx.array, past: Past) -> mx.array:
        return snake(x, self._speed, self._depth)


def _conv(weights: Weights, name: str, dilation: int = 1) -> CausalConv:
    return CausalConv(weights[f"{name}.weight"], weights[f"{name}.bias"], dilation=dilation)


def _upsample(weights: Weights, name: str, rate: int) -> CausalUpsample:
    return CausalUpsample(weights[f"{name}.weight"], weights[f"{name}.bias"], rate)


def _linear(weights: Weights, name: str) -> Callable[[mx.array], mx.array]:
    return partial(_addmm, weights[f"{name}.weight"].T, weights[f"{name}.bias"])


def _linear_conv(weights: Weights, name: str) -> Callable[[mx.array], mx.array]:
    """A convolution of one tap."""
    return partial(_addmm, weights[f"{name}.weight"][:, 0].T, weights[f"{name}.bias"])


def _addmm(weight: mx.array, bias: mx.array, x: mx.array) -> mx.array:
    return mx.addmm(bias, x, weight)
