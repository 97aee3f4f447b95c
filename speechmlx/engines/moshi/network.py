"""The network: a transformer over frames, and one over the codebooks of a frame with weights of its own for each.

Names of parameters are those of Kyutai's MLX checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.engines.moshi.sizes import STREAMS, MoshiSizes, feed_forward
from speechmlx.engines.parts.activations import swiglu
from speechmlx.engines.parts.joined import added
from speechmlx.engines.parts.kv_rows import FramePast
from speechmlx.engines.parts.rotary import Turn, turn_from

EPSILON = 1e-8
PERIOD = 10000.0
"""The longest period of the rotations of positions."""

Attend = Callable[[mx.array, mx.array], mx.array]
"""Queries and then keys [b, 2 heads, n, width], values [b, heads, n, width] → [b, heads, n, width]"""
Draw = Callable[[mx.array, int], mx.array]
"""Logits [b, codes] and place of a codebook → the code of each row, int32 [b]"""


class MoshiProjections(nn.Module):
    """The products of attention."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim, 3 * dim, bias=False)
        self.out_proj = nn.Linear(dim, dim, bias=False)


class MoshiGate(nn.Module):
    """The feed-forward part: one half of its inner channels gates the other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        inner = feed_forward(dim)
        self.linear_in = nn.Linear(dim, 2 * inner, bias=False)
        self.linear_out = nn.Linear(inner, dim, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """[b, n, dim] → what linear_out reads [b, n, inner]"""
        return swiglu(*mx.split(self.linear_in(x), 2, axis=-1))


class MoshiLayer(nn.Module):
    """Attention, in a way that is given, and the feed-forward part."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(dim, EPSILON), nn.RMSNorm(dim, EPSILON)
        self.self_attn, self.gating = MoshiProjections(dim), MoshiGate(dim)
        self._heads = heads

    def __call__(self, x: mx.array, attend: Attend) -> mx.array:
        """[b, n, dim] → [b, n, dim]"""
        b, n, dim = x.shape
        found = self.self_attn.in_proj(self.norm1(x)).reshape(b, n, 3 * self._heads, -1).swapaxes(1, 2)
        y = attend(found[:, : 2 * self._heads], found[:, 2 * self._heads :])
        x = added(x, self.self_attn.out_proj, y.swapaxes(1, 2).reshape(b, n, dim))
        return added(x, self.gating.linear_out, self.gating(self.norm2(x)))


class MoshiLayers(nn.Module):
    """Layers one after the other."""

    def __init__(self, dim: int, heads: int, count: int) -> None:
        super().__init__()
        self.layers = [MoshiLayer(dim, heads) for _ in range(count)]


class MoshiSlice(nn.Module):
    """The weights of one codebook. It reads the token before: the text of the first, a code of the others."""

    def __init__(self, sizes: MoshiSizes, reads: int) -> None:
        super().__init__()
        dim = sizes.depth_dim
        self.emb = nn.Embedding(reads + 1, dim)
        self.linear_in = nn.Linear(sizes.dim, dim, bias=False)
        self.transformer = MoshiLayers(dim, sizes.depth_heads, sizes.depth_layers)
        self.linear_out = nn.Linear(dim, sizes.code_count, bias=False)


class MoshiDepth(nn.Module):
    """The transformer over the codebooks of a frame."""

    def __init__(self, sizes: MoshiSizes) -> None:
        super().__init__()
        reads = [sizes.text_count, *[sizes.code_count] * (sizes.depth - 1)]
        self.slices = [MoshiSlice(sizes, count) for count in reads]

    def __call__(self, hidden: mx.array, text: mx.array, forced: mx.array, is_forced: mx.array, draw: Draw) -> mx.array:
        """hidden [b, 1, dim] and text token [b] of a frame → its codes, int32 [b, depth].

        Where `is_forced` [b, depth], the codes after see that of `forced` [b, depth] in place of what was drawn.
        """
        past = [_OneFrame(len(self.slices)) for _ in self.slices[0].transformer.layers]
        before, drawn = text, list[mx.array]()
        for place, part in enumerate(self.slices):
            x = part.linear_in(hidden) + part.emb(before)[:, None]
            for layer, attend in zip(part.transformer.layers, past, strict=True):
                x = layer(x, attend)
            drawn.append(draw(part.linear_out(x)[:, 0].astype(mx.float32), place))
            before = mx.where(is_forced[:, place], forced[:, place], drawn[-1])
        return mx.stack(drawn, axis=1)


class _OneFrame:
    """Attention to the codebooks before in the same frame, of one layer. They have no positions."""

    def __init__(self, room: int) -> None:
        self._past = FramePast(room)

    def __call__(self, qk: mx.array, v: mx.array) -> mx.array:
        q, k = mx.split(qk, 2, axis=1)
        keys, values = self._past.add(k, v)
        return mx.fast.scaled_dot_product_attention(q, keys, values, scale=q.shape[-1] ** -0.5)


class MoshiNetwork(nn.Module):
    """Embeddings of all streams, the transformer over frames, the text's output, and the depth."""

    def __init__(self, sizes: MoshiSizes) -> None:
        super().__init__()
        self.text_emb = nn.Embedding(sizes.text_count + 1, sizes.dim)
        self.audio_embs = [nn.Embedding(sizes.code_count + 1, sizes.dim) for _ in range(STREAMS - 1)]
        self.transformer = MoshiLayers(sizes.dim, sizes.heads, sizes.layers)
        self.out_norm = nn.RMSNorm(sizes.dim, EPSILON)
        self.text_linear = nn.Linear(sizes.dim, sizes.text_count, bias=False)
        self.depformer = MoshiDepth(sizes)
        self.sizes = sizes

    def embed(self, tokens: mx.array) -> mx.array:
        """Tokens of all streams, int32 [b, n, STREAMS] → their sum [b, n, dim]"""
        total = self.audio_embs[0](tokens[..., 1])
        for place, one in enumerate(self.audio_embs[1:], 2):
            total = total + one(tokens[..., place])
        return total + self.text_emb(tokens[..., 0])

    def hear(self, x: mx.array, rings: Sequence[MoshiRing]) -> mx.array:
        """The next frames [b, n, dim] of the conversations of `rings`, one each → normed [b, n, dim].

        Several frames at once only of one conversation. The caller evaluates, the rings' arrays too.
        """
        starts, width = mx.array([ring.end for ring in rings]), self.sizes.dim // self.sizes.heads
        turn = turn_from(starts, x.shape[1], width, PERIOD, neighbours=True)
        for place, layer in enumerate(self.transformer.layers):
            x = layer(x, _over_rings(rings, place, turn))
        for ring in rings:
            ring.advance(x.shape[1])
        return self.out_norm(x)


def _over_rings(rings: Sequence[MoshiRing], place: int, turn: Turn) -> Attend:
    """Attention of each row to its own conversation. Products are for all rows, so weights are read once."""

    def attend(qk: mx.array, v: mx.array) -> mx.array:
        q, k = mx.split(turn(qk), 2, axis=1)
        mask = "causal" if q.shape[2] > 1 else None
        rows = []
        for row, ring in enumerate(rings):
            keys, values = ring.add(place, k[row : row + 1], v[row : row + 1])
            scale = q.shape[-1] ** -0.5
            rows.append(mx.fast.scaled_dot_product_attention(q[row : row + 1], keys, values, scale=scale, mask=mask))
        return rows[0] if len(rows) == 1 else mx.concatenate(rows)

    return attend
