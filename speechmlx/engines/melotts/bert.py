"""BERT: what the words around a word tell of it. MeloTTS reads the third-last layer."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import mlx.core as mx

from speechmlx.engines.parts.chunked_attention import attend, in_heads, joined
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.tensors import Tensors, gelu

EPSILON = 1e-12


class Bert:
    """The network up to the layer that is read. It keeps nothing between two calls."""

    def __init__(self, tensors: Tensors, heads: int, pace: LayerPace) -> None:
        self._tensors, self._heads, self._pace = tensors, heads, pace

    @property
    def longest(self) -> int:
        """Tokens of a text at most, with the two at its ends."""
        return self._tensors["embeddings.position_embeddings.weight"].shape[0]

    def __call__(self, tokens: mx.array) -> Generator[None, None, mx.array]:
        """tokens [n], with those at the ends → features [n, c] in float32, in steps."""
        tensors = self._tensors.under("embeddings")
        x = tensors["word_embeddings.weight"][tokens] + tensors["position_embeddings.weight"][: len(tokens)]
        x = tensors.norm("LayerNorm", x + tensors["token_type_embeddings.weight"][0], EPSILON)[None]
        layers = [partial(self._layer, number) for number in range(self._tensors.count("encoder.layer"))]
        x = yield from self._pace.run(layers, x)
        return x[0].astype(mx.float32)

    def _layer(self, number: int, x: mx.array) -> mx.array:
        tensors = self._tensors.under(f"encoder.layer.{number}")
        queries, keys, values = (
            in_heads(tensors.linear(f"attention.self.{name}", x), self._heads) for name in ("query", "key", "value")
        )
        heard = joined(attend(queries, keys, values))
        x = tensors.norm("attention.output.LayerNorm", x + tensors.linear("attention.output.dense", heard), EPSILON)
        inner = gelu(tensors.linear("intermediate.dense", x))
        return tensors.norm("output.LayerNorm", x + tensors.linear("output.dense", inner), EPSILON)
