"""One piece of text on its way to sound: the speech tokens that are generated for it, and their sound."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.cosyvoice.drawing import RepetitionAwareSampler
from speechmlx.engines.cosyvoice.generation import MOST_SILENT, SPEECH_TOKENS

SHORTEST, LONGEST = 2, 20
"""Speech tokens for each text token."""


class TokenSound(Protocol):
    """What makes the sound of speech tokens: `UtteranceSound`, or `WholeSound`."""

    def is_due(self, count: int, is_whole: bool) -> bool:
        """Whether there is work, with `count` tokens: all of them, where `is_whole`."""

    def piece(self, tokens: Sequence[int], is_whole: bool) -> Generator[None, None, NDArray[np.float32]]:
        """The samples of the next piece, in bounded steps. `tokens`: all that are there."""


@dataclass(eq=False)
class Utterance:
    """A sequence of the language model, with its keys and values while it is in no batch, and what is heard of it."""

    tokens: list[int]
    """The prompt, and the speech tokens generated so far."""
    prompt: int
    """Number of tokens that were given, and not drawn."""
    limit: int
    """Tokens that are generated at most."""
    sampler: RepetitionAwareSampler
    sound: TokenSound
    silent: frozenset[int]
    """Speech tokens of which no more than MOST_SILENT are heard in a row."""
    cache: list[Any] | None
    words: int = 0
    """Text tokens that it says."""
    given: mx.array | None = None
    """What the prompt is read as [1, n, c], where its tokens do not tell."""
    speech: int = SPEECH_TOKENS
    """Tokens of sound; one after them ends the speech."""
    read: int = 0
    """Number of tokens whose keys and values are computed."""
    ahead: int | None = None
    is_whole: bool = False
    """All of its speech tokens are there."""
    is_cut_off: bool = False
    """They did not end by themselves."""
    heard: list[int] = field(default_factory=list)
    """The speech tokens that are made to sound."""
    _silence: int = 0
    _piece: Generator[None, None, NDArray[np.float32]] | None = None

    @property
    def spoken(self) -> int:
        """Number of speech tokens drawn."""
        return len(self.tokens) - self.prompt

    @property
    def is_writing(self) -> bool:
        """Whether its next token is to be drawn."""
        return not (self.is_reading or self.is_waiting or self.is_whole)

    @property
    def is_waiting(self) -> bool:
        """Whether it goes on with text that is not read yet."""
        return False

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do before more text comes."""
        return False

    @property
    def last(self) -> int:
        """Number of tokens after which the speech is cut off."""
        return self.prompt + self.limit

    @property
    def is_reading(self) -> bool:
        """Whether more of its prompt than the last token is not read yet."""
        return self.read < len(self.tokens) - 1

    def go_on(self) -> None:
        """Take the text that it waits for, if it is there."""

    def add(self, token: int) -> None:
        """Take the next token of the language model."""
        self.read += 1
        if token < self.speech:
            self.tokens.append(token)
            self._silence = self._silence + 1 if token in self.silent else 0
            self.heard += [token] if self._silence <= MOST_SILENT else []
        self.is_cut_off = token < self.speech and len(self.tokens) == self.last
        self.is_whole = token >= self.speech or self.is_cut_off

    @property
    def sounds(self) -> bool:
        """Whether there is work on its sound."""
        return self._piece is not None or self.sound.is_due(len(self.heard), self.is_whole)

    def step(self) -> NDArray[np.float32] | None:
        """Do one bounded piece of work on its sound. Returns the samples that it completes, if any."""
        if self._piece is None:
            self._piece = self.sound.piece(tuple(self.heard), self.is_whole)
        try:
            next(self._piece)
        except StopIteration as end:
            self._piece = None
            samples: NDArray[np.float32] = end.value
            return samples
        return None
