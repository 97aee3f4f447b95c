"""A conformer encoder that doubles the frames: speech tokens at 25 Hz → features at 50 Hz. No convolution modules."""

from __future__ import annotations

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.look_ahead import looking_ahead
from speechmlx.engines.parts.relative_encoder import embedded, encoded
from speechmlx.engines.parts.tensors import Tensors


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
        tensors, chunk, past = self._tensors, self._chunk if chunked else 0, past or ChunkPast()
        x = embedded(tensors, "embed", x)
        after = None if ahead is None else embedded(tensors, "embed", ahead)
        x = looking_ahead(tensors.under("pre_lookahead_layer"), x, after, past)
        x = encoded(tensors, "encoders", x, self._heads, chunk, past)
        x = past.conv(tensors, "up_layer.conv", mx.repeat(x, 2, axis=1))
        x = encoded(tensors, "up_encoders", embedded(tensors, "up_embed", x), self._heads, 2 * chunk, past)
        return tensors.norm("after_norm", x)
