"""Prefill: the decoder's first pass, over whole prompts, which keeps their keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.sampling import NEVER
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.network import Network, Pair
from speechmlx.engines.whisper.model.tokenizer import Vocabulary


class PromptCache:
    """A `KVCache` for the prompts of rows: tokens attend to the prompt only."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        """Each layer's keys and values [rows, h, t, d]."""

    def update(self, layer: int, k: mx.array, v: mx.array) -> Pair:
        assert layer == len(self.pairs), "layers update in order"
        self.pairs.append((k, v))
        return k, v


@dataclass(frozen=True)
class Prefill:
    """The result of a prefill, on the device and not evaluated yet."""

    logits: mx.array
    """Logits [rows, vocabulary] of the next token."""
    no_speech: mx.array
    """Probability of silence [rows]."""
    pairs: list[Pair]
    """Each layer's keys and values [rows, h, t, d]."""
    looked: list[mx.array]
    """Attention scores [rows, heads, t, places] per layer of `look`, as `TextDecoder` returns them."""


def prefill(
    network: Network,
    vocabulary: Vocabulary,
    prompts: Sequence[Sequence[int]],
    cross: Sequence[Pair],
    cross_mask: mx.array | None = None,
    look: Heads | None = None,
) -> Prefill:
    """Read `prompts` [rows][t] over the audio of `cross`; the start of transcript is at one index in all of them.

    `cross`, `cross_mask` and `look` are those of `TextDecoder`.
    """
    prompt, length = PromptCache(), len(prompts[0])
    tokens, positions = mx.array(np.array(prompts, np.int32)), mx.arange(length)[None]
    mask = causal(length, network.dtype)
    hidden, looked = network.decoder(tokens, positions, prompt, cross, mask, cross_mask, look=look)
    start = list(prompts[0]).index(vocabulary.sot)
    first, last = network.decoder.logits(mx.stack([hidden[:, start], hidden[:, -1]]))
    no_speech = mx.exp(first[:, vocabulary.no_speech] - mx.logsumexp(first, axis=-1))
    return Prefill(last, no_speech, prompt.pairs, looked)


def causal(length: int, dtype: mx.Dtype) -> mx.array | None:
    """Additive mask [1, 1, length, length] that hides later tokens; None for a single token."""
    if length == 1:
        return None
    return mx.triu(mx.full((length, length), NEVER), k=1)[None, None].astype(dtype)
