"""Conformer layers without convolution modules, with ESPnet's relative positions: CosyVoice's encoders of tokens."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.pace import Layer, applied
from speechmlx.engines.parts.tensors import Tensors

EPSILON = 1e-12
"""Of the normalisations inside the layers."""


def embedded(tensors: Tensors, name: str, x: mx.array) -> mx.array:
    """What the layers begin with: x [b, t, in] → [b, t, c]."""
    x = tensors.norm(f"{name}.out.1", tensors.linear(f"{name}.out.0", x))
    return x * x.shape[-1] ** 0.5


def encoded(
    tensors: Tensors, name: str, x: mx.array, heads: int, chunk: int = 0, past: ChunkPast | None = None
) -> mx.array:
    """All layers of the list `name`: x [1, t, c] → [1, t, c]."""
    return applied(encoder_layers(tensors, name, heads, chunk, past), x)


def encoder_layers(
    tensors: Tensors, name: str, heads: int, chunk: int = 0, past: ChunkPast | None = None
) -> list[Layer]:
    """The layers of the list `name`, each x [1, t, c] → [1, t, c].

    `chunk`: a frame sees its own chunk of so many frames and those before it; 0: every frame sees all.
    `past`: of the frames before.
    """
    parts = [tensors.under(f"{name}.{number}") for number in range(tensors.count(name))]
    return [partial(_layer, part, heads, chunk, past or ChunkPast()) for part in parts]


def _layer(tensors: Tensors, heads: int, chunk: int, past: ChunkPast, x: mx.array) -> mx.array:
    x = x + _attention(tensors.under("self_attn"), tensors.norm("norm_mha", x, EPSILON), heads, chunk, past)
    inner = tensors.linear("feed_forward.w_1", tensors.norm("norm_ff", x, EPSILON))
    return x + tensors.linear("feed_forward.w_2", inner * mx.sigmoid(inner))


def _attention(tensors: Tensors, x: mx.array, heads: int, chunk: int, past: ChunkPast) -> mx.array:
    content, place, keys, values = queries_and_keys(tensors, x, heads)
    keys, values = past.attended(keys, values)
    before = keys.shape[2] - x.shape[1]
    heard = attend(content, keys, values, chunk, partial(_places, tensors, place, before))
    return tensors.linear("linear_out", joined(heard))


def queries_and_keys(tensors: Tensors, x: mx.array, heads: int) -> tuple[mx.array, mx.array, mx.array, mx.array]:
    """x [b, t, c] → what asks for contents, what asks for distances, keys and values, all [b, heads, t, d]."""
    queries, keys, values = (in_heads(tensors.linear(f"linear_{name}", x), heads) for name in "qkv")
    return queries + tensors["pos_bias_u"][:, None], queries + tensors["pos_bias_v"][:, None], keys, values


def _places(tensors: Tensors, queries: mx.array, before: int, first: int, end: int, seen: int) -> mx.array:
    """Scores [1, heads, n, seen] of the n frames [first, end) by their distances to the first `seen` keys.

    `before`: frames before the first of the queries.
    """
    heads, width = queries.shape[1], queries.shape[3]
    positions = distances(tensors, end - 1, end - first + seen - 1, heads)
    return by_key((queries[:, :, first - before : end - before] @ positions.swapaxes(1, 2)) * width**-0.5, seen)


def distances(tensors: Tensors, largest: int, count: int, heads: int) -> mx.array:
    """What stands for the distances `largest`, `largest` - 1, ..., which may be negative [heads, count, d]."""
    weight = tensors["linear_pos.weight"]
    table = _table(largest, count, weight.shape[1]).astype(weight.dtype)
    return in_heads(tensors.linear("linear_pos", table)[None], heads)[0]


def by_key(scores: mx.array, seen: int) -> mx.array:
    """Scores by distance [b, heads, n, n + seen - 1], the largest of the last query first → by key [..., n, seen].

    Row r begins n - 1 - r columns later than the last row: the distance to a key grows by one with each query.
    """
    batch, heads, count, width = scores.shape
    strides = (heads * count * width, count * width, width - 1, 1)
    return mx.as_strided(mx.contiguous(scores), (batch, heads, count, seen), strides, count - 1)


def _table(largest: int, count: int, width: int) -> mx.array:
    """[count, width]: sines and cosines of the distances `largest`, `largest` - 1, ..., which may be negative."""
    rates = mx.exp(mx.arange(0, width, 2) * (-mx.log(mx.array(10_000.0)) / width))
    angles = (largest - mx.arange(count))[:, None] * rates
    return mx.stack([mx.sin(angles), mx.cos(angles)], axis=-1).reshape(count, width)
