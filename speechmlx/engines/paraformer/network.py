"""Paraformer: features → tokens, all at once. An encoder, integrate-and-fire, and a decoder that sees all tokens."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.paraformer.cif import FiredTokens, integrate
from speechmlx.engines.parts.pace import Layer, LayerPace
from speechmlx.engines.parts.recordings import SpeechClip
from speechmlx.engines.parts.sanm import RowLengths, SanmEncoder, SanmLayers, attend, pad_rows

EPSILON = 1e-12
STAGE = "the recognition of speech"


@dataclass(frozen=True)
class ClipTokens:
    """What is said in a clip."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Logarithm of the probability of each token."""
    fires: tuple[int, ...]
    """The frame of 60 ms in which each token is full."""
    frames: int
    """Frames of the clip."""


class ParaformerNetwork:
    """Recognises clips. Numbers of heads: of the encoder, and of the decoder."""

    def __init__(self, weights: Mapping[str, mx.array], heads: int, decoder_heads: int) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._layers = SanmLayers(weights, EPSILON)
        self._encoder = SanmEncoder(self._layers, heads)
        self._heads = decoder_heads
        self._decoders = sum(name.endswith(".norm3.weight") for name in weights)

    def recognise(
        self, clips: Sequence[SpeechClip[ClipTokens]], pace: LayerPace
    ) -> Generator[None, None, list[ClipTokens]]:
        """The tokens of each clip. A batch gives those that each clip gives alone, but for rounding."""
        lengths = [len(clip.features) for clip in clips]
        rows = RowLengths.of(lengths)
        padded = self._encoder.embed(pad_rows([clip.features for clip in clips]))
        memory = rows.kept((yield from pace.run(self._encoder.layers(rows), padded)))
        parts = finite(np.array(self.parts(memory)), STAGE).astype(np.float64)
        fired = [integrate(row[:length]) for row, length in zip(parts, lengths, strict=True)]
        counts = [len(one.fires) for one in fired]
        if not any(counts):
            return [ClipTokens((), (), (), length) for length in lengths]
        scores = yield from pace.run(self.decoder(counts, memory, rows), mx.array(_shares(fired, memory)) @ memory)
        best, sure = (
            np.array(mx.argmax(scores, axis=2)),
            np.array(mx.max(scores, axis=2) - mx.logsumexp(scores, axis=2)),
        )
        finite(sure, STAGE)
        return [
            ClipTokens(tuple(tokens[:count].tolist()), tuple(chances[:count].tolist()), one.fires, length)
            for tokens, chances, one, count, length in zip(best, sure, fired, counts, lengths, strict=True)
        ]

    def parts(self, memory: mx.array) -> mx.array:
        """The encoder's frames [b, t, n], zero where a row has none → the part of a token in each [b, t]."""
        weights = self._layers.weights
        wide = mx.conv1d(memory, weights["predictor.cif_conv1d.weight"], padding=1)
        wide = mx.maximum(wide + weights["predictor.cif_conv1d.bias"], 0)
        return mx.sigmoid(self._layers.linear(wide, "predictor.cif_output"))[:, :, 0]

    def decoder(self, counts: Sequence[int], memory: mx.array, seen: RowLengths) -> list[Layer]:
        """The layers that make scores [b, tokens, vocabulary] of tokens [b, tokens, n] and what the encoder gave."""
        rows = RowLengths.of(counts)
        layers: list[Layer] = [
            partial(self._decoder_layer, f"decoder.decoders.{n}", rows, memory, seen) for n in range(self._decoders)
        ]
        return [*layers, self._last]

    def _decoder_layer(self, name: str, rows: RowLengths, memory: mx.array, seen: RowLengths, x: mx.array) -> mx.array:
        layers = self._layers
        known = layers.norm(
            self._feed_forward(layers.norm(x, f"{name}.norm1"), f"{name}.feed_forward"), f"{name}.norm2"
        )
        x = x + layers.memory(known, f"{name}.self_attn", rows)
        q = layers.linear(layers.norm(x, f"{name}.norm3"), f"{name}.src_attn.linear_q")
        k, v = mx.split(layers.linear(memory, f"{name}.src_attn.linear_k_v"), 2, axis=2)
        return x + layers.linear(attend(q, k, v, self._heads, seen), f"{name}.src_attn.linear_out")

    def _last(self, x: mx.array) -> mx.array:
        name = "decoder.decoders3.0"
        x = self._feed_forward(self._layers.norm(x, f"{name}.norm1"), f"{name}.feed_forward")
        return self._layers.linear(self._layers.norm(x, "decoder.after_norm"), "decoder.output_layer")

    def _feed_forward(self, x: mx.array, name: str) -> mx.array:
        wide = mx.maximum(self._layers.linear(x, f"{name}.w_1"), 0)
        return self._layers.linear(self._layers.norm(wide, f"{name}.norm"), f"{name}.w_2")


def _shares(fired: Sequence[FiredTokens], memory: mx.array) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """[b, most tokens, frames], zero where a row has no token or no frame."""
    batch, frames, _ = memory.shape
    shares = np.zeros((batch, max(len(one.fires) for one in fired), frames), np.float32)
    for whole, one in zip(shares, fired, strict=True):
        whole[: len(one.fires), : one.shares.shape[1]] = one.shares
    return shares
