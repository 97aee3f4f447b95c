"""How a text that is still being written stands among its speech: a little of it, what is said of that, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speechmlx.engines.cosyvoice.generation import Generation

TEXT, SPEECH = 5, 15
"""Tokens of text in a block, and of speech after them, as the models were trained."""


class WrittenText(Protocol):
    """The tokens of a text that is being written."""

    ended: bool
    """No more come."""
    tokens: list[int]
    """Those that nobody took."""


@dataclass(frozen=True)
class SpeechBlock:
    """What is read next, in numbers of the joint table, and how many speech tokens are drawn after it."""

    tokens: tuple[int, ...]
    count: int | None
    """None: until the speech ends."""


class Interleaving:
    """Blocks of TEXT tokens of text and SPEECH ones of speech; the last has the rest of the text and of the speech.

    An instruction stands before them. A recording has text and speech of its own: those are the first ones.
    The mark that the network gives after a block (for more text) is never drawn: a block's end is known.
    """

    def __init__(
        self, generation: Generation, before: Sequence[int], text: Sequence[int], speech: Sequence[int]
    ) -> None:
        """Text tokens of an instruction, and text and speech tokens of a recording."""
        self._generation, self.end = generation, generation.end
        self._text, self._speech = list(text), list(speech)
        self.first = [generation.begin, *(generation.text + token for token in before)]
        """What is read before the blocks."""
        self.rest = 0
        """Text tokens of the last block."""

    def is_ready(self, text: WrittenText) -> bool:
        """Whether there is a next block."""
        return text.ended or len(self._text) + len(text.tokens) >= TEXT

    def next(self, text: WrittenText) -> SpeechBlock | None:
        """The next block, with tokens taken from `text`; None: they are not written yet."""
        if not self.is_ready(text):
            return None
        self._text += text.tokens
        text.tokens.clear()
        words, self._text = self._text[:TEXT], self._text[TEXT:]
        numbers = [self._generation.text + token for token in words]
        if len(words) < TEXT:
            self.rest = len(words)
            return SpeechBlock((*numbers, self._generation.task, *self._speech), None)
        known, self._speech = self._speech[:SPEECH], self._speech[SPEECH:]
        return SpeechBlock((*numbers, *known), SPEECH - len(known))
