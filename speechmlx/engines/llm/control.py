"""Keeps control tokens that are spelled out in messages and tools from becoming control tokens of the prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tokenizers import AddedToken, Tokenizer

MARK = "\ufdd0"
"""A noncharacter of Unicode, which valid text does not contain. No token continues across it."""
REASONING = ("<think>", "</think>")
"""Chat templates search messages for these, whether or not they are tokens of the model."""


class Control:
    """The control tokens of one tokenizer. It adds MARK to the tokenizer as a token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self._texts = {text for text in (*added, *REASONING) if _is_control(text)}
        self._lengths = sorted({len(text) for text in self._texts})
        self._first = re.compile("[" + re.escape("".join(sorted({text[0] for text in self._texts}))) + "]")
        self._prefixes = {text[:size] for text in self._texts for size in range(2, len(text))}
        self._suffixes = {text[size:] for text in self._texts for size in range(1, len(text) - 1)}
        tokenizer.add_special_tokens([AddedToken(MARK, normalized=False)])
        self._mark = tokenizer.token_to_id(MARK)

    def encode(self, tokenizer: Tokenizer, text: str) -> list[int]:
        """The token ids of a prompt. Tokens end at each MARK, and the ids of the MARKs are removed."""
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return [id for id in ids if id != self._mark] if MARK in text else ids

    def as_text(self, value: Any) -> Any:
        """Text, or JSON that contains text, with a MARK inside each control token and each part of one at an end.

        Everything else is unchanged, so templates recognise it.
        """
        if isinstance(value, str):
            return self._marked(value)
        if isinstance(value, Mapping):
            return {self.as_text(name): self.as_text(inner) for name, inner in value.items()}
        return [self.as_text(inner) for inner in value] if isinstance(value, list | tuple) else value

    def _marked(self, text: str) -> str:
        text = text.replace(MARK, "")
        cuts = {match.start() + 1 for match in self._first.finditer(text) if self._starts_control(text, match.start())}
        cuts |= self._cuts_at_ends(text)
        places = [0, *sorted(cuts), len(text)]
        return MARK.join(text[start:end] for start, end in pairwise(places))

    def _starts_control(self, text: str, at: int) -> bool:
        """Whether a control token is spelled out at position `at`."""
        return any(text[at : at + length] in self._texts for length in self._lengths)

    def _cuts_at_ends(self, text: str) -> set[int]:
        """Positions inside parts of control tokens at the ends of the text: a template may contain the rest of them."""
        stripped, longest = text.strip(), self._lengths[-1]
        start = text.find(stripped)
        end = start + len(stripped)
        cuts = {end - size + 1 for size in range(2, longest) if stripped[-size:] in self._prefixes}
        cuts |= {start + size - 1 for size in range(2, longest) if stripped[:size] in self._suffixes}
        if 1 < len(stripped) < longest and not stripped.isalnum() and any(stripped in whole for whole in self._texts):
            cuts.add(start + 1)
        return cuts


def _is_control(text: str) -> bool:
    """Whether an added token is more than white space, a word or one character."""
    return len(text) > 1 and not text.replace("▁", " ").isspace() and not text.isalnum()
