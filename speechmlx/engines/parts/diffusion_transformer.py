"""The network of CosyVoice 3's flow: the direction from noise to a mel spectrogram. A transformer, causal by chunks."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.causal_estimator import time_places
from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.pace import Layer, applied, framed
from speechmlx.engines.parts.tensors import Tensors, mish

EPSILON = 1e-6
GROUPS = 16
"""Of the channels that the convolutions before the blocks read apart."""
PLACES = 256
"""Numbers that tell the time."""


class DiffusionTransformer:
    """Blocks whose normalisations follow the time. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, heads: int, chunk: int) -> None:
        """`chunk`: frames of a chunk."""
        self._tensors, self._heads, self._chunk = tensors, heads, chunk

    @property
    def remembered(self) -> int:
        """Numbers that a frame has in keys and values."""
        return (
            2 * len(self._tensors["transformer_blocks.0.attn.to_k.weight"]) * self._tensors.count("transformer_blocks")
        )

    def __call__(self, x: mx.array, time: mx.array, chunked: bool = True, past: ChunkPast | None = None) -> mx.array:
        """x [b, t, 4 * bands]: the spectrogram so far, content, speaker, known frames; time [b] from 0 to 1.

        Returns the direction [b, t, bands]. `chunked`: a frame sees its own chunk and those before it. `past`: of the
        frames before, at the same time.
        """
        return applied(self.layers(time, chunked, past), x)

    def layers(self, time: mx.array, chunked: bool = True, past: ChunkPast | None = None) -> list[Layer]:
        """One after another they do the same as a call."""
        tensors, chunk, past = self._tensors, self._chunk if chunked else 0, past or ChunkPast()
        inner = tensors.linear("time_embed.time_mlp.0", time_places(time, PLACES))
        moment = tensors.linear("time_embed.time_mlp.2", _silu(inner))
        moment = _silu(moment)[:, None]
        parts = [tensors.under(f"transformer_blocks.{n}") for n in range(tensors.count("transformer_blocks"))]
        blocks = [partial(self._block, part, moment, chunk, past) for part in parts]
        return framed(partial(self._begun, past), blocks, partial(self._ended, moment))

    def _begun(self, past: ChunkPast, x: mx.array) -> mx.array:
        noisy, content, speaker, known = mx.split(x, 4, axis=-1)
        x = self._tensors.linear("input_embed.proj", mx.concatenate([noisy, known, content, speaker], axis=-1))
        return x + self._neighbours(x, past)

    def _ended(self, moment: mx.array, x: mx.array) -> mx.array:
        scale, shift = mx.split(self._tensors.linear("norm_out.linear", moment), 2, axis=-1)
        return self._tensors.linear("proj_out", _normal(x, scale, shift))

    def _neighbours(self, x: mx.array, past: ChunkPast) -> mx.array:
        """What the frames before tell of a frame's place."""
        tensors = self._tensors.under("input_embed.conv_pos_embed")
        for name in ("conv1.0", "conv2.0"):
            x = mish(past.conv(tensors, name, x, groups=GROUPS))
        return x

    def _block(self, tensors: Tensors, moment: mx.array, chunk: int, past: ChunkPast, x: mx.array) -> mx.array:
        """`moment` [b, 1, c] tells how the block normalises and how much it adds."""
        parts = mx.split(tensors.linear("attn_norm.linear", moment), 6, axis=-1)
        shift, scale, gate, inner_shift, inner_scale, inner_gate = parts
        x = x + gate * self._attention(tensors.under("attn"), _normal(x, scale, shift), chunk, past)
        inner = tensors.linear("ff.ff.0.0", _normal(x, inner_scale, inner_shift))
        return x + inner_gate * tensors.linear("ff.ff.2", _gelu_by_tanh(inner))

    def _attention(self, tensors: Tensors, x: mx.array, chunk: int, past: ChunkPast) -> mx.array:
        queries, keys, values = (in_heads(tensors.linear(f"to_{name}", x), self._heads) for name in "qkv")
        queries = _turned(queries, past.place)
        keys, values = past.attended(_turned(keys, past.place), values)
        return tensors.linear("to_out.0", joined(attend(queries, keys, values, chunk)))


def _turned(x: mx.array, place: int) -> mx.array:
    """[b, heads, t, d], of which the first frame is at `place`: the first head turns with it; it was trained so."""
    first = mx.fast.rope(x[:, :1], x.shape[-1], traditional=True, base=10_000.0, scale=1.0, offset=place)
    return mx.concatenate([first, x[:, 1:]], axis=1)


def _normal(x: mx.array, scale: mx.array, shift: mx.array) -> mx.array:
    return mx.fast.layer_norm(x, None, None, EPSILON) * (1 + scale) + shift


def _silu(x: mx.array) -> mx.array:
    return x * mx.sigmoid(x)


def _gelu_by_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh((2 / mx.pi) ** 0.5 * (x + 0.044715 * x**3)))
