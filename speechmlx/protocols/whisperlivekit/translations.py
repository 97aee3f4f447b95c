"""The lines of turns that wait for their translation, by their number in the caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from speechmlx.protocols.whisperlivekit.lines import CaptionLine, joined
from speechmlx.reading.sentences import finished

MOST_TURNS = 64
"""Turns that may wait; the oldest is forgotten."""


class LineTranslations:
    """Give it every closed line in order, then the translation of each turn."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[str, dict[int, CaptionLine]] = {}
        """By turn, its lines and their numbers."""

    def begin(self, number: int) -> None:
        """The next line has this number: another has had those before."""
        self._count = number

    def add(self, line: CaptionLine) -> None:
        """The next closed line."""
        number, self._count = self._count, self._count + 1
        if line.text is None or not line.item:
            return
        self._waiting.setdefault(line.item, {})[number] = line
        if len(self._waiting) > MOST_TURNS:
            del self._waiting[next(iter(self._waiting))]

    def translated(self, item: str, translation: str) -> Mapping[int, CaptionLine]:
        """The lines of a turn with their translation, by number.

        A sentence for each line where there are as many; else the last line has all of it.
        """
        lines = self._waiting.pop(item, {})
        sentences, rest = finished(translation)
        parts = [part.strip() for part in (*sentences, rest) if part.strip()]
        if len(parts) != len(lines):
            lines = dict(list(lines.items())[-1:])
            parts = [joined(translation)]
        return {
            number: replace(line, translation=part) for (number, line), part in zip(lines.items(), parts, strict=False)
        }

    def failed(self, item: str) -> None:
        """A turn has no translation."""
        self._waiting.pop(item, None)
