"""One piece of text on its way to sound: the speech tokens that are generated for it, and their sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx

from speechmlx.engines.cosyvoice.drawing import RepetitionAwareSampler
from speechmlx.engines.cosyvoice.generation import MOST_SILENT, SPEECH_TOKENS
from speechmlx.engines.parts.turn_speech import DrawnSound, SoundingPiece

SHORTEST, LONGEST = 2, 20
"""Speech tokens for each text token."""


TokenSound = DrawnSound[int]
"""What makes the sound of speech tokens: `UtteranceSound`, or `WholeSound`."""


@dataclass(eq=False)
class Utterance(SoundingPiece[int]):
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
    def unread(self) -> int:
        """Tokens that are not read yet, but for the last one, which is read with the next draw."""
        return len(self.tokens) - 1 - self.read

    @property
    def is_reading(self) -> bool:
        return self.unread > 0

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

    def _drawn(self) -> tuple[Sequence[int], bool]:
        return self.heard, self.is_whole
