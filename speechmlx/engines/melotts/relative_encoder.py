"""The transformer of VITS: attention that knows the distances of neighbours, and convolutions. All are [1, t, c]."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.chunked_attention import in_heads, joined
from speechmlx.engines.parts.pace import Layer
from speechmlx.engines.parts.tensors import Tensors

SPOKEN = 2
"""The layer before which the speaker is told."""


class RelativeEncoder:
    """Layers of attention and convolutions. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, heads: int) -> None:
        self._tensors, self._heads = tensors, heads

    def layers(self, speaker: mx.array | None) -> list[Layer]:
        """The layers, in order. `speaker` [1, 1, c]; None: none is told."""
        return [partial(self._layer, number, speaker) for number in range(self._tensors.count("attn_layers"))]

    def _layer(self, number: int, speaker: mx.array | None, x: mx.array) -> mx.array:
        tensors = self._tensors
        if number == SPOKEN and speaker is not None:
            x = x + tensors.linear("spk_emb_linear", speaker)
        x = tensors.norm(f"norm_layers_1.{number}", x + self._attention(tensors.under(f"attn_layers.{number}"), x))
        inner = tensors.under(f"ffn_layers.{number}")
        y = same_conv(inner, "conv_2", mx.maximum(same_conv(inner, "conv_1", x), 0))
        return tensors.norm(f"norm_layers_2.{number}", x + y)

    def _attention(self, tensors: Tensors, x: mx.array) -> mx.array:
        queries, keys, values = (in_heads(tensors.conv(f"conv_{name}", x), self._heads) for name in "qkv")
        queries = queries * queries.shape[-1] ** -0.5
        scores = queries @ keys.swapaxes(-1, -2) + _far_apart(queries @ tensors["emb_rel_k"][0].T, x.shape[1])
        weights = mx.softmax(scores, axis=-1)
        near = tensors["emb_rel_v"][0]
        found = weights @ values + _neighbours(weights, len(near)) @ near
        return tensors.conv("conv_o", joined(found))


def same_conv(tensors: Tensors, name: str, x: mx.array, dilation: int = 1) -> mx.array:
    """A convolution of an odd number of taps over the frames around each frame.

    A dilated one is a plain one over every so many-th frame: MLX's CPU backend takes a hundred times as long for it
    else.
    """
    reach = (tensors[f"{name}.weight"].shape[1] - 1) * dilation
    if dilation == 1:
        return tensors.conv(name, x, padding=reach // 2)
    length = x.shape[1]
    filled = mx.pad(x, [(0, 0), (reach // 2, reach // 2 + -(length + reach) % dilation), (0, 0)])
    apart = filled.reshape(-1, dilation, x.shape[2]).swapaxes(0, 1)
    y = tensors.conv(name, apart).swapaxes(0, 1)
    return y.reshape(1, -1, y.shape[2])[:, :length]


def _far_apart(near: mx.array, length: int) -> mx.array:
    """Scores of the distances -w to w [1, heads, t, 2 w + 1] → of all pairs [1, heads, t, t]; 0 farther apart."""
    window = near.shape[-1] // 2
    place = mx.arange(length)[None] - mx.arange(length)[:, None] + window
    is_near = (place >= 0) & (place <= 2 * window)
    index = mx.broadcast_to(mx.clip(place, 0, 2 * window), (*near.shape[:3], length))
    return mx.where(is_near, mx.take_along_axis(near, index, axis=-1), 0)


def _neighbours(weights: mx.array, count: int) -> mx.array:
    """Of the weights of all pairs [1, heads, t, t] those of near ones [1, heads, t, count]; 0 beyond the ends."""
    length = weights.shape[-1]
    column = mx.arange(length)[:, None] + mx.arange(count)[None] - count // 2
    is_there = (column >= 0) & (column < length)
    index = mx.broadcast_to(mx.clip(column, 0, length - 1), (*weights.shape[:3], count))
    return mx.where(is_there, mx.take_along_axis(weights, index, axis=-1), 0)
