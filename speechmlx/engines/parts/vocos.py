"""Vocos with a head of Fourier frames: a log mel spectrogram to samples, by ConvNeXt blocks.

F5-TTS and ChatTTS speak with it. `log_mel` is the spectrogram that F5-TTS has of recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.pace import Layer, applied, framed
from speechmlx.errors import WeightsDamaged

Values = NDArray[np.float32]

RATE, FFT, HOP, BANDS = 24_000, 1024, 256, 100
"""Samples per second and per window, samples from one frame to the next, and mel bands."""
FLOOR = 1e-5
"""Least magnitude of a band."""
LOUDEST = 100.0
"""Most magnitude of a bin of a frame."""
EPSILON = 1e-6
DROPPED = ("feature_extractor.", "head.istft.")
"""Begin the names of tensors that are computed: filters and windows."""


def log_mel(samples: Values) -> Values:
    """samples [n] at RATE, n > FFT / 2 → logarithms of the magnitudes of mel bands [1 + n // HOP, BANDS]."""
    padded = np.pad(samples, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP] * window()
    magnitudes = np.abs(np.fft.rfft(frames)).astype(np.float32)
    logarithms: Values = np.log(np.maximum(magnitudes @ _filters(), FLOOR))
    return logarithms


@cache
def window() -> Values:
    """[FFT]: one period of a raised cosine."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)


@cache
def _filters() -> Values:
    """[FFT // 2 + 1, BANDS]: triangles of height 1, evenly over the mels of HTK from 0 to half the rate."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


class VocosDecoder:
    """The network. `weights` have their published names, convolutions as [out, taps, in]."""

    def __init__(self, weights: Mapping[str, mx.array]) -> None:
        self._weights = {name: array for name, array in weights.items() if not name.startswith(DROPPED)}
        starts = {name.split(".")[2] for name in self._weights if name.startswith("backbone.convnext.")}
        self._blocks = len(starts)
        _check(self._weights, self._blocks)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(array.nbytes for array in self._weights.values())

    @property
    def reach(self) -> int:
        """Frames before and after one that its samples depend on: convolutions of 7 taps, and frames that overlap."""
        return 3 * (1 + self._blocks) + FFT // HOP // 2

    def __call__(self, mel: mx.array) -> mx.array:
        """mel [1, t, BANDS] → samples [(t - 1) * HOP] at RATE."""
        return applied(self.layers(), mel)

    def layers(self) -> list[Layer]:
        """One after another they do the same as a call."""
        blocks = [partial(self._block, f"backbone.convnext.{number}") for number in range(self._blocks)]
        return framed(self._begun, blocks, self._ended)

    def _begun(self, mel: mx.array) -> mx.array:
        w = self._weights
        return self._norm(
            "backbone.norm", mx.conv1d(mel, w["backbone.embed.weight"], padding=3) + w["backbone.embed.bias"]
        )

    def _ended(self, x: mx.array) -> mx.array:
        x = self._linear("head.out", self._norm("backbone.final_layer_norm", x))
        magnitude, phase = mx.split(x, 2, axis=-1)
        magnitude = mx.minimum(mx.exp(magnitude), LOUDEST)
        spectrum = magnitude * mx.cos(phase) + 1j * (magnitude * mx.sin(phase))
        return _joined(mx.fft.irfft(spectrum, FFT, axis=-1)[0])

    def _block(self, name: str, x: mx.array) -> mx.array:
        w = self._weights
        y = mx.conv1d(x, w[f"{name}.dwconv.weight"], padding=3, groups=x.shape[-1]) + w[f"{name}.dwconv.bias"]
        y = self._linear(f"{name}.pwconv1", self._norm(f"{name}.norm", y))
        y = y * (1 + mx.erf(y * 0.5**0.5)) / 2
        return x + w[f"{name}.gamma"] * self._linear(f"{name}.pwconv2", y)

    def _norm(self, name: str, x: mx.array) -> mx.array:
        return mx.fast.layer_norm(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], EPSILON)

    def _linear(self, name: str, x: mx.array) -> mx.array:
        return mx.addmm(self._weights[f"{name}.bias"], x, self._weights[f"{name}.weight"].T)


def _joined(frames: mx.array) -> mx.array:
    """frames [t, FFT], each HOP after the last → samples [(t - 1) * HOP]: sums of frames in their windows."""
    share = mx.array(window())
    sums = _overlapped(frames * share)
    weights = _overlapped(mx.broadcast_to(share * share, frames.shape))
    edge = FFT // 2
    return sums[edge:-edge] / weights[edge:-edge]


def _overlapped(frames: mx.array) -> mx.array:
    """frames [t, FFT] → their sums [(t - 1) * HOP + FFT]."""
    count, parts = frames.shape[0], FFT // HOP
    pieces = frames.reshape(count, parts, HOP)
    shifted = [mx.pad(pieces[:, part], [(part, parts - 1 - part), (0, 0)]) for part in range(parts)]
    total = shifted[0]
    for more in shifted[1:]:
        total = total + more
    return total.reshape(-1)


def _check(weights: Mapping[str, mx.array], blocks: int) -> None:
    """Raises WeightsDamaged where a tensor is missing, is one too many, or has another shape than the others imply."""
    width = weights["backbone.embed.weight"].shape[0] if "backbone.embed.weight" in weights else 0
    inner = weights["backbone.convnext.0.pwconv1.weight"].shape[0] if blocks else 0
    shapes: dict[str, tuple[int, ...]] = {"backbone.embed.weight": (width, 7, BANDS), "backbone.embed.bias": (width,)}
    for name in ("backbone.norm", "backbone.final_layer_norm"):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    shapes |= {"head.out.weight": (FFT + 2, width), "head.out.bias": (FFT + 2,)}
    for number in range(blocks):
        name = f"backbone.convnext.{number}"
        shapes |= {f"{name}.dwconv.weight": (width, 7, 1), f"{name}.dwconv.bias": (width,)}
        shapes |= {f"{name}.norm.weight": (width,), f"{name}.norm.bias": (width,), f"{name}.gamma": (width,)}
        shapes |= {f"{name}.pwconv1.weight": (inner, width), f"{name}.pwconv1.bias": (inner,)}
        shapes |= {f"{name}.pwconv2.weight": (width, inner), f"{name}.pwconv2.bias": (width,)}
    found = {name: array.shape for name, array in weights.items()}
    if wrong := sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name)):
        name = wrong[0]
        raise WeightsDamaged(
            f"the vocoder's weights are not those of Vocos: {name!r} is {found.get(name, 'missing')}, "
            f"not {shapes.get(name, 'there')}"
        )
