"""A causal transformer over the last steps, for rows that are each at their own step."""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.parts.causal_conv import Past
from speechmlx.engines.parts.mimi.sizes import MimiSizes

PERIOD = 10000.0
"""The longest period of the rotations of positions."""


class MimiLayer(nn.Module):
    """Attention and a feed-forward part, each scaled per channel."""

    def __init__(self, sizes: MimiSizes) -> None:
        super().__init__()
        dim = sizes.dim
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.in_proj = nn.Linear(dim, 3 * dim, bias=False)
        self.out_proj = nn.Linear(dim, dim, bias=False)
        self.linear1 = nn.Linear(dim, sizes.feed_forward, bias=False)
        self.linear2 = nn.Linear(sizes.feed_forward, dim, bias=False)
        self.scale1, self.scale2 = mx.ones(dim), mx.ones(dim)
        self._heads = sizes.heads

    def __call__(self, x: mx.array, steps: mx.array, mask: mx.array, past: Past) -> mx.array:
        """x [b, t, dim]; `steps` [b]: steps of each row before these; mask [b, 1, t, context]."""
        b, t, dim = x.shape
        q, k, v = self.in_proj(self.norm1(x)).reshape(b, t, 3, self._heads, -1).transpose(2, 0, 3, 1, 4)
        q, k = (
            mx.fast.rope(one, one.shape[-1], traditional=True, base=PERIOD, scale=1.0, offset=steps) for one in (q, k)
        )
        window = mx.concatenate([past.take()[:, :, :, t:], mx.stack([k, v], axis=1)], axis=3)
        past.leave(window)
        scale = k.shape[-1] ** -0.5
        y = mx.fast.scaled_dot_product_attention(q, window[:, 0], window[:, 1], scale=scale, mask=mask)
        x = x + self.scale1 * self.out_proj(y.transpose(0, 2, 1, 3).reshape(b, t, dim))
        return x + self.scale2 * self.linear2(nn.gelu(self.linear1(self.norm2(x))))


class MimiTransformer(nn.Module):
    """Layers whose keys and values of the last `context` steps are their tails."""

    def __init__(self, sizes: MimiSizes) -> None:
        super().__init__()
        self.layers = [MimiLayer(sizes) for _ in range(sizes.layers)]
        self._sizes = sizes

    def tails(self) -> Iterator[tuple[int, ...]]:
        """Keys and values of each layer [2, heads, context, width]; the newest are last."""
        sizes = self._sizes
        for _ in self.layers:
            yield 2, sizes.heads, sizes.context, sizes.dim // sizes.heads

    def __call__(self, x: mx.array, steps: mx.array, past: Past) -> mx.array:
        """x [b, t, dim], `steps` [b]: steps of each row before these → [b, t, dim]"""
        mask = _mask(steps, x.shape[1], self._sizes.context)
        for layer in self.layers:
            x = layer(x, steps, mask, past)
        return x


def _mask(steps: mx.array, count: int, context: int) -> mx.array:
    """Which of the window's steps each new step attends to: bool [b, 1, count, context].

    The window holds the new steps and as many before them as there is room for: the first of two new steps attends to
    one step less than `context`. Training had it otherwise; the reference's stream is the same.
    """
    newest = steps[:, None, None] + count
    places = newest - context + mx.arange(context)[None, None]
    asking = steps[:, None, None] + mx.arange(count)[None, :, None]
    return ((places >= 0) & (places <= asking))[:, None]
