"""Live words at a terminal: what is final is written once, and the unsure words after it in grey, until they change.

Pure: gives the text to write. A line is broken before the word that does not fit, so that the grey words, which stay on
the line, can be taken back.
"""

from __future__ import annotations

from rich.cells import cell_len

from speechmlx.types import Hypothesis, Word

GREY, PLAIN, CLEAR = "\x1b[90m", "\x1b[0m", "\x1b[K"
PAUSE = 1.0
"""Seconds without words after which a new line begins."""


class Captions:
    """The words of one session. `width` None: no terminal, so no line is broken for it and no unsure word is shown."""

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._column = 0
        """Cells of the open line that are written."""
        self._end: float | None = None
        """Where the last word ends, in seconds."""
        self._speaker: str | None = None

    def update(self, hypothesis: Hypothesis) -> str:
        """What to write for a hypothesis."""
        text = self._taken_back() + "".join(self._final(word) for word in hypothesis.committed)
        return text + self._grey(hypothesis.tail)

    def end(self) -> str:
        """What to write at the end."""
        return self._taken_back() + ("\n" if self._column else "")

    def _final(self, word: Word) -> str:
        before = ""
        other = word.speaker is not None and word.speaker != self._speaker
        if self._end is not None and (other or word.start - self._end >= PAUSE):
            before = self._break()
        self._end = word.end
        label = f"[{speaker_label(word.speaker)}]" if other and word.speaker is not None else ""
        if other:
            self._speaker = word.speaker
        return before + (self._put(label) if label else "") + self._put(word.text)

    def _put(self, text: str) -> str:
        """A word, on a new line where it does not fit."""
        text, before = text if self._column else text.lstrip(), ""
        if self._width is not None and self._column and self._column + cell_len(text) >= self._width:
            before, text = self._break(), text.lstrip()
        self._column += cell_len(text)
        return before + text

    def _break(self) -> str:
        self._column = 0
        return "\n"

    def _grey(self, tail: tuple[Word, ...]) -> str:
        """As much of the unsure words as fits in the line."""
        if self._width is None:
            return ""
        text = "".join(word.text for word in tail)
        text = text if self._column else text.lstrip()
        while text and self._column + cell_len(text) >= self._width:
            text = text[:-1]
        return f"{GREY}{text}{PLAIN}" if text else ""

    def _taken_back(self) -> str:
        """Clear what follows the final words: unsure ones, and the ^C of a terminal."""
        if self._width is None:
            return ""
        return f"\r\x1b[{self._column}C{CLEAR}" if self._column else f"\r{CLEAR}"


def speaker_label(speaker: str) -> str:
    """What a speaker is called: SPEAKER_00, SPEAKER_01, ..."""
    return f"SPEAKER_{int(speaker):02}" if speaker.isdecimal() else speaker
