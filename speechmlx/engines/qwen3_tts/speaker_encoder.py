"""A recording → the vector of its voice: mel bands, then an ECAPA-TDNN without norms (Desplanques et al., 2020)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import mlx.core as mx
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from speechmlx.engines.parts.slaney_mel import mel_bank
from speechmlx.errors import BadRequest, WeightsDamaged

if TYPE_CHECKING:
    from speechmlx.types import Samples

Weights = Mapping[str, mx.array]

RATE = 24_000
FFT, HOP = 1024, 256
EDGE = (FFT - HOP) // 2
"""Samples that are mirrored at both ends."""
MAGNITUDE_FLOOR, ENERGY_FLOOR, DEVIATION_FLOOR = 1e-9, 1e-5, 1e-12
SLICE = 1000
"""Frames of mel bands that one step computes: 11 seconds."""
PREFIX = "speaker_encoder."


@dataclass(frozen=True)
class SpeakerShape:
    """The fields of `speaker_encoder_config` that a checkpoint may choose; the defaults are those of the 0.6B."""

    mel_dim: int = 128
    enc_dim: int = 1024
    enc_channels: tuple[int, ...] = (512, 512, 512, 512, 1536)
    enc_kernel_sizes: tuple[int, ...] = (5, 3, 3, 3, 1)
    enc_dilations: tuple[int, ...] = (1, 2, 3, 4, 1)
    enc_attention_channels: int = 128
    enc_res2net_scale: int = 8
    enc_se_channels: int = 128

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Self:
        config = config or {}
        given = {field.name: config[field.name] for field in fields(cls) if config.get(field.name) is not None}
        chosen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**chosen)

    @property
    def reach(self) -> int:
        """Frames that the widest convolution reads on either side: a recording must have more of them."""
        return max(tap // 2 * step for tap, step in zip(self.enc_kernel_sizes, self.enc_dilations, strict=True))

    @property
    def least(self) -> int:
        """Samples that a recording must have."""
        return max(EDGE + 1, self.reach * HOP + FFT - 2 * EDGE)


def voice_weights(tensors: Weights, shape: SpeakerShape) -> dict[str, mx.array]:
    """The weights of a `VoiceEncoder` from the tensors of a checkpoint whose names begin with PREFIX.

    Kernels may be [out, in, taps] as published, or [out, taps, in] as MLX's conversions have them; they become the
    latter. Raises WeightsDamaged where one is missing, has another shape, or is not known.
    """
    left = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    made = {}
    for name, out, inputs, taps in _convolutions(shape):
        weight, bias = (left.pop(f"{PREFIX}{name}.{part}", None) for part in ("weight", "bias"))
        if weight is None or bias is None:
            raise WeightsDamaged(f"the weights lack those of {PREFIX}{name}")
        if weight.shape == (out, inputs, taps):
            weight = mx.contiguous(weight.swapaxes(1, 2))
        if weight.shape != (out, taps, inputs) or bias.shape != (out,):
            expected = f"config.json says {(out, inputs, taps)}"
            raise WeightsDamaged(f"the weight {PREFIX}{name} is {weight.shape}, its bias {bias.shape}; {expected}")
        made[f"{name}.weight"], made[f"{name}.bias"] = weight, bias
    if left:
        raise WeightsDamaged(f"the speaker encoder has weights that are not known: {', '.join(sorted(left)[:3])}")
    return made


def _convolutions(shape: SpeakerShape) -> Iterator[tuple[str, int, int, int]]:
    """Name, outputs, inputs and taps of every convolution."""
    channels, taps, scale = shape.enc_channels, shape.enc_kernel_sizes, shape.enc_res2net_scale
    yield "blocks.0.conv", channels[0], shape.mel_dim, taps[0]
    for block in range(1, len(channels) - 1):
        name, width = f"blocks.{block}", channels[block]
        yield f"{name}.tdnn1.conv", width, channels[block - 1], 1
        for part in range(scale - 1):
            yield f"{name}.res2net_block.blocks.{part}.conv", width // scale, width // scale, taps[block]
        yield f"{name}.tdnn2.conv", width, width, 1
        yield f"{name}.se_block.conv1", shape.enc_se_channels, width, 1
        yield f"{name}.se_block.conv2", width, shape.enc_se_channels, 1
    width = channels[-1]
    yield "mfa.conv", width, width, taps[-1]
    yield "asp.tdnn.conv", shape.enc_attention_channels, 3 * width, 1
    yield "asp.conv", width, shape.enc_attention_channels, 1
    yield "fc", shape.enc_dim, 2 * width, 1


class VoiceEncoder:
    """The encoder; `weights` are those of `voice_weights`."""

    def __init__(self, weights: Weights, shape: SpeakerShape) -> None:
        self.size = shape.enc_dim
        """Length of a voice's vector."""
        self._weights, self._shape = weights, shape
        self._type = weights["fc.weight"].dtype

    def pieces(self, samples: Samples) -> Generator[None, None, mx.array]:
        """The vector [enc_dim] of the voice in `samples` [n] of 24 kHz, in short steps.

        Raises BadRequest for a recording that is too short.
        """
        if len(samples) < self._shape.least:
            least = self._shape.least / RATE
            raise BadRequest(f"the recording is {len(samples) / RATE:.2f} s long; a voice needs {least:.2f} s or more")
        levels: list[Samples] = []
        for slice_ in mel_levels(samples, self._shape.mel_dim):
            levels.append(slice_)
            yield
        x = mx.array(np.concatenate(levels))[None].astype(self._type)
        last = len(self._shape.enc_channels) - 2
        outputs = []
        x = self._layer(x, "blocks.0", 0)
        for block in range(1, last + 1):
            x = self._block(x, block)
            outputs.append(x)
            mx.eval(x)
            yield
        x = self._layer(mx.concatenate(outputs, axis=-1), "mfa", last + 1)
        vector = self._point(self._pooled(x), "fc")[0, 0].astype(mx.float32)
        mx.eval(vector)
        return vector

    def _block(self, x: mx.array, number: int) -> mx.array:
        """Three layers, the middle one in groups of channels, each with the one before; scaled; beside the input."""
        name = f"blocks.{number}"
        parts = mx.split(self._layer(x, f"{name}.tdnn1"), self._shape.enc_res2net_scale, axis=-1)
        done = [parts[0]]
        for part, group in enumerate(parts[1:]):
            group = group + done[-1] if part else group
            done.append(self._layer(group, f"{name}.res2net_block.blocks.{part}", number))
        y = self._layer(mx.concatenate(done, axis=-1), f"{name}.tdnn2")
        squeezed = mx.maximum(self._point(y.mean(axis=1, keepdims=True), f"{name}.se_block.conv1"), 0)
        return x + y * mx.sigmoid(self._point(squeezed, f"{name}.se_block.conv2"))

    def _pooled(self, x: mx.array) -> mx.array:
        """[1, t, c] → [1, 1, 2c]: mean and deviation of each channel, weighted by attention to the frames."""
        even = mx.full((1, 1, 1), 1 / x.shape[1], x.dtype)
        whole = [mx.broadcast_to(one, x.shape) for one in _statistics(x, even)]
        attention = mx.tanh(self._layer(mx.concatenate([x, *whole], axis=-1), "asp.tdnn"))
        return mx.concatenate(_statistics(x, mx.softmax(self._point(attention, "asp.conv"), axis=1)), axis=-1)

    def _layer(self, x: mx.array, name: str, place: int | None = None) -> mx.array:
        """A convolution and ReLU; `place` is that of its taps and dilation in the shape, None for a single tap."""
        if place is None:
            return mx.maximum(self._point(x, f"{name}.conv"), 0)
        dilation = self._shape.enc_dilations[place]
        reach = self._shape.enc_kernel_sizes[place] // 2 * dilation
        weight, bias = self._weights[f"{name}.conv.weight"], self._weights[f"{name}.conv.bias"]
        return mx.maximum(mx.conv1d(_mirrored(x, reach), weight, dilation=dilation) + bias, 0)

    def _point(self, x: mx.array, name: str) -> mx.array:
        return mx.addmm(self._weights[f"{name}.bias"], x, self._weights[f"{name}.weight"][:, 0].T)


def mel_levels(samples: Samples, bands: int) -> Iterator[Samples]:
    """Logarithms of the mel bands of `samples` [n] of 24 kHz, n // HOP frames [<= SLICE, bands] at a time."""
    padded = np.pad(samples.astype(np.float32), EDGE, mode="reflect")
    frames = sliding_window_view(padded, FFT)[::HOP]
    bank = mel_bank(RATE, FFT, bands, 0, RATE / 2)
    for first in range(0, len(frames), SLICE):
        spectrum = np.fft.rfft(frames[first : first + SLICE] * _WINDOW)
        magnitude = np.sqrt(np.square(spectrum.real) + np.square(spectrum.imag) + MAGNITUDE_FLOOR)
        yield np.log(np.maximum(magnitude.astype(np.float32) @ bank, ENERGY_FLOOR))


def _mirrored(x: mx.array, reach: int) -> mx.array:
    """[1, t, c] with `reach` mirrored frames at both ends."""
    if not reach:
        return x
    return mx.concatenate([x[:, reach:0:-1], x, x[:, -2 : -2 - reach : -1]], axis=1)


def _statistics(x: mx.array, weights: mx.array) -> list[mx.array]:
    """Mean and standard deviation [1, 1, c] of frames [1, t, c] with `weights` that sum to 1 over the frames."""
    mean = (x * weights).sum(axis=1, keepdims=True)
    variance = (mx.square(x - mean) * weights).sum(axis=1, keepdims=True)
    return [mean, mx.sqrt(mx.maximum(variance, DEVIATION_FLOOR))]


_WINDOW = np.hanning(FFT + 1)[:-1].astype(np.float32)
