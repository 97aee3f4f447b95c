"""CosyVoice's language model: the text to say, and speech tokens of a recording → the speech tokens that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.cosyvoice.generation import Generation
from speechmlx.engines.lm.library import load_module


@dataclass(frozen=True)
class SpeechPrompt:
    """What a piece of speech is generated from; all numbers are those of their own vocabulary."""

    before: tuple[int, ...]
    """Text tokens of an instruction, or of what is said in the recording."""
    text: tuple[int, ...]
    """Of what to say."""
    speech: tuple[int, ...] = ()
    """Of the recording, where its text is known."""
    speaker: NDArray[np.float32] | None = None
    """Embedding of the speaker [192], where the language model of the generation reads one."""

    def tokens(self, generation: Generation) -> list[int]:
        """Numbers of the joint table, a place each. One for the speaker holds the place alone."""
        text = [generation.text + token for token in (*self.before, *self.text)]
        speaker = [] if self.speaker is None else [generation.begin]
        return [generation.begin, *speaker, *text, generation.task, *self.speech]


class SpeechNetwork(Protocol):
    """A language model of speech tokens: `SpeechModel`, or CosyVoice 1's."""

    @property
    def layers(self) -> Sequence[object]:
        """For the cache of keys and values."""

    def given(self, prompt: SpeechPrompt) -> mx.array | None:
        """What a prompt is read as [1, n, c], where its tokens do not tell."""

    def __call__(self, tokens: mx.array, cache: list[Any], given: mx.array | None = None) -> mx.array:
        """Tokens [b, t], or what is `given` for them [b, t, c] → logits of the next speech token."""


class SpeechModel(nn.Module):
    """Tokens of the joint table [b, t] → logits of the next speech token [b, t, generation.logits]."""

    def __init__(self, config: Mapping[str, Any], generation: Generation) -> None:
        """`config`: that of a Qwen2 model; `vocab_size`: its text tokens."""
        super().__init__()
        library = load_module("models.qwen2")
        settings = {**config, "vocab_size": generation.text + int(config["vocab_size"])}
        self.model = library.Qwen2Model(library.ModelArgs.from_dict(settings))
        self.head = nn.Linear(int(config["hidden_size"]), generation.logits)

    @property
    def layers(self) -> Sequence[nn.Module]:
        """For the cache of keys and values."""
        layers: Sequence[nn.Module] = self.model.layers
        return layers

    def given(self, prompt: SpeechPrompt) -> None:
        """Nothing: tokens tell all."""

    def __call__(self, tokens: mx.array, cache: list[Any] | None = None, given: mx.array | None = None) -> mx.array:
        logits: mx.array = self.head(self.model(tokens, cache))
        return logits
