"""F5-TTS's network: the direction from noise to the spectrogram of a text, said as a recording was. A transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx.engines.f5.names import QUANTISED, TIMES, NetworkSize, bits_of
from speechmlx.engines.parts.pace import Layer, framed

EPSILON = 1e-6
TURNS = 10_000.0
"""How much slower the last pair of channels turns with the place than the first."""


@dataclass(frozen=True)
class NetworkVersion:
    """What differs between the published versions, whose weights have the same names."""

    first_head: bool
    """Only the first head of the attention knows places (version 0), or all do."""
    fills: bool
    """What fills the text up to the spectrogram's length is seen as symbols (version 0), or is nothing."""


@dataclass(frozen=True)
class Conditions:
    """What stays the same while a spectrogram is made of noise.

    `known` [b, t, bands] are the frames of the recording and zeros, `text` [b, t, c]. b is 1, or 2 with guidance, and
    then the second row knows neither.
    """

    known: mx.array
    text: mx.array


class F5Network:
    """The weights, in the names of `names.one_layout`, and what is computed with them. Keeps nothing of a request."""

    def __init__(self, weights: Mapping[str, mx.array], size: NetworkSize, version: NetworkVersion) -> None:
        self._weights, self.size, self._version = weights, size, version
        self.dtype = weights["proj_out.bias"].dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(array.nbytes for array in self._weights.values())

    def conditions(self, known: mx.array, symbols: mx.array, frames: int, guided: bool) -> Conditions:
        """known [n, bands], n up to `frames`, and the numbers of symbols [m], cut off at `frames`."""
        known = mx.pad(known.astype(self.dtype), [(0, frames - known.shape[0]), (0, 0)])[None]
        numbers = mx.pad(symbols[:frames] + 1, (0, max(0, frames - symbols.shape[0])))[None]
        texts = [self._text(numbers, numbers)]
        if guided:
            texts.append(self._text(mx.zeros_like(numbers), numbers))
            known = mx.concatenate([known, mx.zeros_like(known)])
        return Conditions(known, mx.concatenate(texts))

    def layers(self, time: float, given: Conditions) -> list[Layer]:
        """At `time`, 0 to 1: one after another they make of a noisy spectrogram [b, t, bands] its direction, as large.

        All b are the same spectrogram.
        """
        moment = self._moment(time)
        blocks = [partial(self._block, f"transformer_blocks.{number}", moment) for number in range(self.size.depth)]
        return framed(partial(self._begun, given), blocks, partial(self._ended, moment))

    def _begun(self, given: Conditions, noisy: mx.array) -> mx.array:
        x = self._linear("input_embed.proj", mx.concatenate([noisy, given.known, given.text], axis=-1))
        return x + self._neighbours(x)

    def _ended(self, moment: mx.array, x: mx.array) -> mx.array:
        scale, shift = mx.split(self._linear("norm_out.linear", moment), 2, axis=-1)
        return self._linear("proj_out", _normal(x, scale, shift))

    # --- Text ----------------------------------------------------------------------------------------------------

    def _text(self, numbers: mx.array, filled: mx.array) -> mx.array:
        """numbers [1, t] → [1, t, c]. Where `filled` is 0 nothing is said."""
        x = self._weights["text_embed.text_embed.weight"][numbers]
        x = x + mx.array(_places(numbers.shape[1], self.size.text)).astype(self.dtype)
        there = mx.ones_like(x) if self._version.fills else (filled != 0)[..., None].astype(self.dtype)
        x = x * there
        for number in range(self.size.text_depth):
            x = self._text_block(f"text_embed.text_blocks.{number}", x) * there
        return x

    def _text_block(self, name: str, x: mx.array) -> mx.array:
        w = self._weights
        y = mx.conv1d(x, w[f"{name}.dwconv.weight"], padding=3, groups=x.shape[-1]) + w[f"{name}.dwconv.bias"]
        y = mx.fast.layer_norm(y, w[f"{name}.norm.weight"], w[f"{name}.norm.bias"], EPSILON)
        y = _gelu(self._linear(f"{name}.pwconv1", y))
        wide = y.astype(mx.float32)  # sums over time of squares
        strength = mx.sqrt(mx.square(wide).sum(axis=1, keepdims=True))
        strength = (strength / (strength.mean(axis=-1, keepdims=True) + EPSILON)).astype(y.dtype)
        y = w[f"{name}.grn.gamma"] * (y * strength) + w[f"{name}.grn.beta"] + y
        return x + self._linear(f"{name}.pwconv2", y)

    # --- Blocks --------------------------------------------------------------------------------------------------

    def _moment(self, time: float) -> mx.array:
        """[1, 1, c]: tells the blocks the time."""
        half = TIMES // 2
        angles = 1000 * time * np.exp(np.arange(half) * -(np.log(10_000) / (half - 1)))
        waves = np.concatenate([np.sin(angles), np.cos(angles)]).astype(np.float32)
        inner = self._linear("time_embed.time_mlp.0", mx.array(waves).astype(self.dtype)[None, None])
        return _silu(self._linear("time_embed.time_mlp.2", _silu(inner)))

    def _neighbours(self, x: mx.array) -> mx.array:
        """What the frames around a frame tell of its place."""
        w = self._weights
        for name in ("input_embed.conv_pos_embed.conv1d.0", "input_embed.conv_pos_embed.conv1d.2"):
            taps, width = w[f"{name}.weight"].shape[1:]
            x = mx.conv1d(x, w[f"{name}.weight"], padding=taps // 2, groups=x.shape[-1] // width) + w[f"{name}.bias"]
            x = x * mx.tanh(mx.logaddexp(x, mx.zeros_like(x)))
        return x

    def _block(self, name: str, moment: mx.array, x: mx.array) -> mx.array:
        """`moment` tells how the block normalises, and how much it adds."""
        parts = mx.split(self._linear(f"{name}.attn_norm.linear", moment), 6, axis=-1)
        shift, scale, gate, inner_shift, inner_scale, inner_gate = parts
        x = x + gate * self._attention(f"{name}.attn", _normal(x, scale, shift))
        inner = _gelu_by_tanh(self._linear(f"{name}.ff.ff.0.0", _normal(x, inner_scale, inner_shift)))
        return x + inner_gate * self._linear(f"{name}.ff.ff.2", inner)

    def _attention(self, name: str, x: mx.array) -> mx.array:
        heads = self.size.heads
        queries, keys, values = (
            self._linear(f"{name}.to_{part}", x).reshape(*x.shape[:2], heads, -1).swapaxes(1, 2) for part in "qkv"
        )
        queries, keys = self._turned(queries), self._turned(keys)
        found = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=queries.shape[-1] ** -0.5)
        return self._linear(f"{name}.to_out.0", found.swapaxes(1, 2).reshape(x.shape))

    def _turned(self, x: mx.array) -> mx.array:
        """x [b, heads, t, d]: each pair of channels turned by its place in time."""
        width = x.shape[-1]
        if not self._version.first_head:
            return mx.fast.rope(x, width, traditional=True, base=TURNS, scale=1.0, offset=0)
        first = mx.fast.rope(x[:, :1], width, traditional=True, base=TURNS, scale=1.0, offset=0)
        return mx.concatenate([first, x[:, 1:]], axis=1)

    def _linear(self, name: str, x: mx.array) -> mx.array:
        w = self._weights
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        if f"{name}.scales" not in w:
            return mx.addmm(bias, x, weight.T)
        scales = w[f"{name}.scales"]
        bits = bits_of(weight.shape[1], scales.shape[1])
        return (
            mx.quantized_matmul(x, weight, scales, w[f"{name}.biases"], transpose=True, group_size=QUANTISED, bits=bits)
            + bias
        )


def _places(length: int, width: int) -> np.ndarray:
    """[length, width]: cosines and then sines of the place, each pair with another wavelength."""
    angles = np.outer(np.arange(length), 1 / TURNS ** (np.arange(0, width, 2) / width))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)


def _normal(x: mx.array, scale: mx.array, shift: mx.array) -> mx.array:
    return mx.fast.layer_norm(x, None, None, EPSILON) * (1 + scale) + shift


def _silu(x: mx.array) -> mx.array:
    return x * mx.sigmoid(x)


def _gelu(x: mx.array) -> mx.array:
    return x * (1 + mx.erf(x * 0.5**0.5)) / 2


def _gelu_by_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
