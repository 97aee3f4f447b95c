"""What is read before each text in the voice of a recording: read once for a voice, and kept as keys and values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from speechmlx.engines.parts.kv_rows import KeyValuePrefix

MOST_POSITIONS = 1024
"""Positions that are kept of all voices together, those used last: 120 MB for 0.6B in 16 bits."""


class VoicePrefixes:
    """By voice and settings, the beginning of its sequences."""

    def __init__(self) -> None:
        self._kept = OrderedDict[Hashable, KeyValuePrefix]()

    @property
    def nbytes(self) -> int:
        return sum(prefix.nbytes for prefix in self._kept.values())

    def clear(self) -> None:
        self._kept.clear()

    def get(self, key: Hashable) -> KeyValuePrefix | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, prefix: KeyValuePrefix) -> None:
        """Keep a prefix; those that were used longest ago go."""
        self._kept[key] = prefix
        while sum(map(len, self._kept.values())) > MOST_POSITIONS:
            self._kept.popitem(last=False)
