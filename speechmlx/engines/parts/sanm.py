"""SAN-M, FunASR's self-attention with memory: the layers of Paraformer, SenseVoice and CT-Transformer.

Weights have FunASR's names. A memory is a convolution of each channel along the time, of weights [taps, channels].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx.engines.parts.pace import Layer

LOW = -1e9
"""What is added to the score of a frame that is none."""


@dataclass(frozen=True)
class RowLengths:
    """How many frames of each row of a padded batch are its own. None, where all rows are of one length."""

    keep: mx.array | None
    """[b, t, 1]: 1 for a row's own frames, else 0."""
    bias: mx.array | None
    """[b, 1, 1, t]: 0 for a row's own frames, else LOW."""

    @classmethod
    def of(cls, lengths: Sequence[int]) -> RowLengths:
        if min(lengths) == max(lengths):
            return cls(None, None)
        own = np.arange(max(lengths)) < np.array(lengths)[:, None]
        keep = own.astype(np.float32)
        return cls(mx.array(keep[:, :, None]), mx.array(((keep - 1) * -LOW)[:, None, None]))

    def kept(self, x: mx.array) -> mx.array:
        """x [b, t, n] with zeros in place of frames that are none."""
        return x if self.keep is None else x * self.keep


def pad_rows(rows: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> mx.array:
    """Rows [t, n] of several lengths → [b, longest t, n], filled up with zeros."""
    padded = np.zeros((len(rows), max(map(len, rows)), rows[0].shape[1]), np.float32)
    for whole, row in zip(padded, rows, strict=True):
        whole[: len(row)] = row
    return mx.array(padded)


class SanmLayers:
    """The layers that the networks are made of, by the names of their weights."""

    def __init__(self, weights: Mapping[str, mx.array], epsilon: float) -> None:
        self.weights = weights
        self._epsilon = epsilon

    def linear(self, x: mx.array, name: str) -> mx.array:
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return x @ weight.T if bias is None else mx.addmm(bias, x, weight.T)

    def norm(self, x: mx.array, name: str) -> mx.array:
        return mx.fast.layer_norm(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], self._epsilon)

    def feed_forward(self, x: mx.array, name: str) -> mx.array:
        return self.linear(mx.maximum(self.linear(x, f"{name}.w_1"), 0), f"{name}.w_2")

    def memory(self, x: mx.array, name: str, rows: RowLengths) -> mx.array:
        """x [b, t, n] and, added to it, what surrounds each frame."""
        taps = self.weights[f"{name}.fsmn_block.weight"]
        x = rows.kept(x)
        reach = (len(taps) - 1) // 2
        around = mx.pad(x, [(0, 0), (reach, len(taps) - 1 - reach), (0, 0)])
        for place in range(len(taps)):
            x = x + around[:, place : place + x.shape[1]] * taps[place]
        return rows.kept(x)


def attend(q: mx.array, k: mx.array, v: mx.array, heads: int, rows: RowLengths) -> mx.array:
    """Attention of q [b, t, n] over k and v [b, s, n], of which `rows` tells the frames → [b, t, n]."""
    parts = (x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2) for x in (q, k, v))
    scale = (q.shape[2] // heads) ** -0.5
    return mx.fast.scaled_dot_product_attention(*parts, scale=scale, mask=rows.bias).swapaxes(1, 2).reshape(q.shape)


class SanmEncoder:
    """The encoder: layers and norms in the order in which the checkpoint has them."""

    def __init__(self, layers: SanmLayers, heads: int) -> None:
        self._layers = layers
        self._heads = heads
        self._names = [*self._counted("encoders0"), *self._counted("encoders"), "after_norm"]
        if "encoder.tp_norm.weight" in layers.weights:
            self._names += [*self._counted("tp_encoders"), "tp_norm"]

    def embed(self, x: mx.array) -> mx.array:
        """The input [b, t, n], scaled, and with the place of each frame added."""
        width = self._layers.weights["encoder.after_norm.weight"].shape[0]
        return x * width**0.5 + mx.array(sinusoids(x.shape[1], x.shape[2]))

    def layers(self, rows: RowLengths) -> list[Layer]:
        """What follows `embed`, one after another, for a batch of such rows."""
        return [
            partial(self._layers.norm, name=f"encoder.{name}")
            if name.endswith("norm")
            else partial(self._layer, f"encoder.{name}", rows)
            for name in self._names
        ]

    def _layer(self, name: str, rows: RowLengths, x: mx.array) -> mx.array:
        layers = self._layers
        fused = layers.linear(layers.norm(x, f"{name}.norm1"), f"{name}.self_attn.linear_q_k_v")
        q, k, v = mx.split(fused, 3, axis=2)
        seen = layers.linear(attend(q, k, v, self._heads, rows), f"{name}.self_attn.linear_out")
        seen = seen + layers.memory(v, f"{name}.self_attn", rows)
        x = x + seen if x.shape == seen.shape else seen
        return x + layers.feed_forward(layers.norm(x, f"{name}.norm2"), f"{name}.feed_forward")

    def _counted(self, group: str) -> Iterator[str]:
        number = 0
        while f"encoder.{group}.{number}.norm1.weight" in self._layers.weights:
            yield f"{group}.{number}"
            number += 1


def sinusoids(length: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """[length, width]: sines, then cosines, of the places from 1 on."""
    rates = np.exp(np.arange(width // 2) * (-np.log(10_000) / (width / 2 - 1)))
    angles = np.arange(1, length + 1)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
