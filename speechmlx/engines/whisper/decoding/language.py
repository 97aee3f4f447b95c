"""Language detection: one decoder step over encoded audio."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.whisper.decoding.prefill import PromptCache
from speechmlx.engines.whisper.model.network import Network, Pair
from speechmlx.engines.whisper.model.tokenizer import Vocabulary


def detect_language(
    network: Network, vocabulary: Vocabulary, cross: Sequence[Pair], candidates: Sequence[str]
) -> tuple[str, float]:
    """The likeliest of `candidates` (codes; empty: every language of the model) and its probability among them.

    `cross` holds each decoder layer's keys and values [1, h, n, d] of the audio. Raises NotFinite.
    """
    decoder = network.decoder
    start = mx.array([[vocabulary.sot]])
    hidden, _ = decoder(start, mx.zeros((1, 1), mx.int32), PromptCache(), cross, None)
    languages = candidates or vocabulary.languages
    tokens = mx.array([vocabulary.language_token(language) for language in languages])
    read = np.array(mx.softmax(decoder.logits(hidden[0, -1])[tokens].astype(mx.float32)))
    chances = finite(read, "the detection of the language")
    best = int(chances.argmax())
    return languages[best], float(chances[best])
