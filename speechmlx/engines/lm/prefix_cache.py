"""Keys and values of sequences that have ended, for later sequences that begin with the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speechmlx.engines.lm.kv_cache import copy_prefix, is_finite

KEPT = 4096
"""Tokens whose keys and values are kept."""
SHARED = 8
"""Tokens that two sequences have to begin with in common, at least."""


@dataclass(frozen=True)
class Entry:
    """The tokens of a sequence, and their keys and values."""

    tokens: list[int]
    cache: list[Any]

    def shared(self, prompt: Sequence[int]) -> int:
        """Number of tokens at the beginning of `prompt` that the entry holds. The last token never counts."""
        most = min(len(self.tokens), len(prompt) - 1)
        return next((i for i in range(most) if self.tokens[i] != prompt[i]), most)


class PrefixCache:
    """Holds KEPT tokens of ended sequences; the oldest are evicted first."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    @property
    def tokens(self) -> int:
        """Tokens whose keys and values are kept now."""
        return sum(len(entry.tokens) for entry in self.entries)

    def find(self, prompt: Sequence[int]) -> tuple[list[Any], int] | None:
        """A copy of the keys and values of the longest known beginning of `prompt`, and its number of tokens.

        None if it has fewer than SHARED tokens. At least one token of the prompt is left to read.
        """
        entry = max(self.entries, key=lambda entry: entry.shared(prompt), default=None)
        shared = entry.shared(prompt) if entry else 0
        cache = copy_prefix(entry.cache, shared) if entry and shared >= SHARED else None
        return None if cache is None else (cache, shared)

    def add(self, tokens: list[int], cache: Sequence[Any] | None) -> None:
        """Keep the keys and values of `tokens`, which `cache` begins with.

        Replaces the entries that they extend, and evicts the oldest beyond KEPT tokens. Keeps none that are not finite
        numbers: every later prompt would fail with them.
        """
        copy = copy_prefix(cache, len(tokens)) if cache and SHARED <= len(tokens) <= KEPT else None
        if copy is None or not is_finite(copy):
            return
        self.entries = [entry for entry in self.entries if entry.shared([*tokens, 0]) < len(entry.tokens)]
        self.entries.append(Entry(tokens, copy))
        while self.tokens > KEPT:
            del self.entries[0]
