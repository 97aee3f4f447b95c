"""Convolutions by which a speech token sees the ones after it, and the encoder of CosyVoice 3, which is those alone."""

from __future__ import annotations

import mlx.core as mx

from speechmlx.engines.parts.chunk_past import ChunkPast
from speechmlx.engines.parts.tensors import Tensors, leaky_relu

AHEAD = 3
"""Tokens that a token sees after itself."""


def looking_ahead(tensors: Tensors, x: mx.array, ahead: mx.array | None, past: ChunkPast) -> mx.array:
    """x [1, t, c] with what its tokens see [1, t, c]. `ahead` [1, n, c]: those after them, up to AHEAD; None: none."""
    seen = x if ahead is None else mx.concatenate([x, ahead], axis=1)
    y = mx.pad(seen, [(0, 0), (0, AHEAD + x.shape[1] - seen.shape[1]), (0, 0)])
    return x + past.conv(tensors, "conv2", leaky_relu(tensors.conv("conv1", y)))


class LookAheadEncoder:
    """Speech tokens at 25 Hz → the bands of a spectrogram at 50 Hz."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors

    def __call__(
        self, x: mx.array, ahead: mx.array | None = None, chunked: bool = True, past: ChunkPast | None = None
    ) -> mx.array:
        """Embedded tokens x [1, t, c] → [1, 2t, c]. No token sees further than AHEAD, `chunked` or not."""
        return mx.repeat(looking_ahead(self._tensors, x, ahead, past or ChunkPast()), 2, axis=1)
