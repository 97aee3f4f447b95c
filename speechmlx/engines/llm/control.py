"""Control tokens spelled out in what people, tools and recognition say: text for a model, never a command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tokenizers import AddedToken, Tokenizer

MARK = "\ufdd0"
"""A noncharacter of Unicode, which no text may hold: where it stands, no token goes on."""
THOUGHTS = ("<think>", "</think>")
"""Templates look for these in messages, whether or not they are tokens of the model."""


class Control:
    """The control tokens of one tokenizer, which learns MARK as a token of its own."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._texts = {text for text in (*added, *THOUGHTS) if _controls(text)}
        self._lengths = sorted({len(text) for text in self._texts})
        self._first = re.compile("[" + re.escape("".join(sorted({text[0] for text in self._texts}))) + "]")
        self._beginnings = {text[:size] for text in self._texts for size in range(2, len(text))}
        self._endings = {text[size:] for text in self._texts for size in range(1, len(text) - 1)}
        tokenizer.add_special_tokens([AddedToken(MARK, normalized=False)])
        self._mark = tokenizer.token_to_id(MARK)

    def encode(self, tokenizer: Tokenizer, text: str) -> list[int]:
        """The ids of a prompt: tokens end at each MARK, and nothing is left of it."""
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return [id for id in ids if id != self._mark] if MARK in text else ids

    def as_text(self, value: Any) -> Any:
        """Text, or JSON with text in it, in which each control token, or half of one at an end, has a MARK inside.

        All else stays as it is, so that templates find in it what they look for.
        """
        if isinstance(value, str):
            return self._marked(value)
        if isinstance(value, Mapping):
            return {self.as_text(name): self.as_text(inner) for name, inner in value.items()}
        return [self.as_text(inner) for inner in value] if isinstance(value, list | tuple) else value

    def _marked(self, text: str) -> str:
        text = text.replace(MARK, "")
        cuts = {found.start() + 1 for found in self._first.finditer(text) if self._begins(text, found.start())}
        cuts |= self._open(text)
        places = [0, *sorted(cuts), len(text)]
        return MARK.join(text[start:end] for start, end in pairwise(places))

    def _begins(self, text: str, at: int) -> bool:
        """Whether a control token begins there."""
        return any(text[at : at + length] in self._texts for length in self._lengths)

    def _open(self, text: str) -> set[int]:
        """Where what may be a part of a control token is cut, at the ends: a template may hold the rest of it."""
        said, longest = text.strip(), self._lengths[-1]
        start = text.find(said)
        end = start + len(said)
        cuts = {end - size + 1 for size in range(2, longest) if said[-size:] in self._beginnings}
        cuts |= {start + size - 1 for size in range(2, longest) if said[:size] in self._endings}
        if 1 < len(said) < longest and not said.isalnum() and any(said in whole for whole in self._texts):
            cuts.add(start + 1)
        return cuts


def _controls(text: str) -> bool:
    """Whether a token that was added to a vocabulary is more than white space, a word or a letter."""
    return len(text) > 1 and not text.replace("▁", " ").isspace() and not text.isalnum()
