"""ChatTTS's language model: text tokens and frames of codes in, the state that the next one is drawn from out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from speechmlx.engines.lm.library import load_module

GROUPS = 4
"""Codes of a frame of speech."""


@dataclass(frozen=True)
class ChatSize:
    """The sizes that the weights do not tell each other: those of a Llama, and the two vocabularies."""

    llama: Mapping[str, Any]
    text: int
    codes: int
    """Of one group; the last of them ends the speech."""


class ChatModel(nn.Module):
    """A Llama with two vocabularies: text, and frames of GROUPS codes, whose embeddings are summed."""

    def __init__(self, size: ChatSize) -> None:
        super().__init__()
        library = load_module("models.llama")
        settings = {"model_type": "llama", **size.llama, "vocab_size": size.text}
        width = int(settings["hidden_size"])
        self.model = library.LlamaModel(library.ModelArgs.from_dict(settings))
        self.codes = nn.Embedding(GROUPS * size.codes, width)
        self.text_head = nn.Linear(width, size.text, bias=False)
        self.code_head = nn.Linear(width, GROUPS * size.codes, bias=False)
        self._codes = size.codes

    @property
    def layers(self) -> Sequence[nn.Module]:
        """For the cache of keys and values."""
        layers: Sequence[nn.Module] = self.model.layers
        return layers

    @property
    def end(self) -> int:
        """The code that ends the speech, in any group."""
        return self._codes - 1

    def __call__(self, tokens: mx.array, cache: list[Any] | None = None) -> mx.array:
        """Text tokens [b, t] → states [b, t, width]."""
        return self.states(self.embedded(tokens), cache)

    def embedded(self, tokens: mx.array) -> mx.array:
        """Text tokens [...] → [..., width]."""
        rows: mx.array = self.model.embed_tokens(tokens)
        return rows

    def embedded_codes(self, frames: mx.array) -> mx.array:
        """Codes [n, GROUPS] → the sums of their embeddings [n, width]."""
        rows: mx.array = self.codes(frames + mx.arange(GROUPS) * self._codes).sum(axis=1)
        return rows

    def states(self, x: mx.array, cache: list[Any] | None) -> mx.array:
        """Embeddings [b, t, width] → states [b, t, width]."""
        states: mx.array = self.model(None, cache, input_embeddings=x)
        return states

    def text_logits(self, states: mx.array) -> mx.array:
        """States [n, width] → logits of the next text token [n, text]."""
        return self.text_head(states).astype(mx.float32)

    def code_logits(self, states: mx.array) -> mx.array:
        """States [n, width] → logits of the codes of the next frame [n, GROUPS, codes]."""
        return self.code_head(states).astype(mx.float32).reshape(-1, GROUPS, self._codes)
