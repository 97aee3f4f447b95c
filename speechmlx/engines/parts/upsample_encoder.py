"""A conformer encoder that doubles the frames: speech tokens at 25 Hz → features at 50 Hz. No convolution modules."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.look_ahead import looking_ahead
from speechmlx.engines.parts.tensors import Tensors

EPSILON = 1e-12
"""Of the normalisations inside the layers."""


class UpsampleEncoder:
    """The network, with ESPnet's relative positions. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, heads: int, chunk: int) -> None:
        """`chunk`: tokens of a chunk."""
        self._tensors, self._heads, self._chunk = tensors, heads, chunk

    def __call__(
        self, x: mx.array, ahead: mx.array | None = None, chunked: bool = True, past: ChunkPast | None = None
    ) -> mx.array:
        """Embedded tokens x [1, t, c] → features [1, 2t, c].

        `ahead`: the tokens after them [1, n, c], up to AHEAD; None: there are none. `chunked`: a frame sees its own
        chunk and those before it, so that more tokens change nothing of what is there. `past`: of the tokens before.
        """
        chunk, past = self._chunk if chunked else 0, past or ChunkPast()
        x = self._embedded("embed", x)
        after = None if ahead is None else self._embedded("embed", ahead)
        x = looking_ahead(self._tensors.under("pre_lookahead_layer"), x, after, past)
        x = self._layers("encoders", x, chunk, past)
        x = past.conv(self._tensors, "up_layer.conv", mx.repeat(x, 2, axis=1))
        x = self._layers("up_encoders", self._embedded("up_embed", x), 2 * chunk, past)
        return self._tensors.norm("after_norm", x)

    def _embedded(self, name: str, x: mx.array) -> mx.array:
        x = self._tensors.norm(f"{name}.out.1", self._tensors.linear(f"{name}.out.0", x))
        return x * x.shape[-1] ** 0.5

    def _layers(self, name: str, x: mx.array, chunk: int, past: ChunkPast) -> mx.array:
        for number in range(self._tensors.count(name)):
            layer = self._tensors.under(f"{name}.{number}")
            x = x + self._attention(layer.under("self_attn"), layer.norm("norm_mha", x, EPSILON), chunk, past)
            inner = layer.linear("feed_forward.w_1", layer.norm("norm_ff", x, EPSILON))
            x = x + layer.linear("feed_forward.w_2", inner * mx.sigmoid(inner))
        return x

    def _attention(self, tensors: Tensors, x: mx.array, chunk: int, past: ChunkPast) -> mx.array:
        queries, keys, values = (in_heads(tensors.linear(f"linear_{name}", x), self._heads) for name in "qkv")
        keys, values = past.attended(keys, values)
        content = queries + tensors["pos_bias_u"][:, None]
        place = queries + tensors["pos_bias_v"][:, None]
        scores = partial(_places, tensors, place, keys.shape[2] - x.shape[1])
        return tensors.linear("linear_out", joined(attend(content, keys, values, chunk, scores)))


def _places(tensors: Tensors, queries: mx.array, before: int, first: int, end: int, seen: int) -> mx.array:
    """Scores [1, heads, n, seen] of the n frames [first, end) by their distances to the first `seen` keys.

    `before`: frames before the first of the queries.
    """
    heads, width = queries.shape[1], queries.shape[3]
    count, distances = end - first, end - first + seen - 1
    positions = in_heads(tensors.linear("linear_pos", _table(end - 1, distances, heads * width))[None], heads)
    scores = (queries[:, :, first - before : end - before] @ positions.swapaxes(2, 3)) * width**-0.5
    # Row r, column m is the distance end - 1 - m; of key j it is first + r - j, which is column count - 1 - r + j.
    strides = (count * distances, distances - 1, 1)
    return mx.as_strided(mx.contiguous(scores), (heads, count, seen), strides, count - 1)[None]


def _table(largest: int, count: int, width: int) -> mx.array:
    """[count, width]: sines and cosines of the distances `largest`, `largest` - 1, ..., which may be negative."""
    rates = mx.exp(mx.arange(0, width, 2) * (-mx.log(mx.array(10_000.0)) / width))
    angles = (largest - mx.arange(count))[:, None] * rates
    return mx.stack([mx.sin(angles), mx.cos(angles)], axis=-1).reshape(count, width)
