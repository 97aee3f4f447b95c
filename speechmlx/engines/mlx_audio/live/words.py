"""Timed tokens of a live stream become words: each is committed once, as soon as it can no longer grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.engines.mlx_audio.results import begins_word
from speechmlx.reading.written import UNSPACED
from speechmlx.types import Hypothesis, Word

PAUSE = 0.8
"""Seconds without a token after which the last word is complete."""
LONGEST = 48
"""Characters of a word, at most: text without blanks is committed in parts."""


@dataclass(frozen=True, slots=True)
class TimedToken:
    """A piece of text; a blank at its beginning begins a word. Seconds of the stream."""

    text: str
    start: float
    end: float
    confidence: float = 1.0


class StreamWords:
    """The words of a stream. It holds the tokens of the word that is open, and no others."""

    def __init__(self) -> None:
        self._open: list[TimedToken] = []
        self._end = 0.0
        """Where the word committed last ends."""
        self._parted = False
        """The next word begins a new text: it must not stick to the one before."""
        self._tail: tuple[Word, ...] = ()

    def add(self, tokens: Sequence[TimedToken], until: float) -> Hypothesis | None:
        """Take `tokens`, which are all up to the time `until`. None: nothing is new."""
        done = []
        for token in tokens:
            if self._open and (begins_word(token.text, self._open[-1].text) or self._length >= LONGEST):
                done.append(self._close())
            self._open.append(token)
        if self._open and until - self._open[-1].end >= PAUSE:
            done.append(self._close())
        return self._told(done)

    def finish(self) -> Hypothesis | None:
        """Commit what is open. Tokens that come after it begin a new text. None: nothing is new."""
        done = [self._close()] if self._open else []
        self._parted = self._end > 0 or bool(done)
        return self._told(done)

    @property
    def _length(self) -> int:
        return sum(len(token.text) for token in self._open)

    def _told(self, done: list[Word]) -> Hypothesis | None:
        committed = tuple(word for word in done if word.text.strip())
        open_word = self._word() if self._open else None
        tail = (open_word,) if open_word and open_word.text.strip() else ()
        if not committed and tail == self._tail:
            return None
        self._tail = tail
        return Hypothesis(committed, tail)

    def _close(self) -> Word:
        word = self._word()
        self._open = []
        if word.text.strip():
            self._end, self._parted = word.end, False
        return word

    def _word(self) -> Word:
        """The open word; its times never go back."""
        text = "".join(token.text for token in self._open)
        if self._parted and text[:1].strip() and not UNSPACED.match(text):
            text = " " + text
        start = max(self._open[0].start, self._end)
        end = max(self._open[-1].end, start)
        confidence = sum(token.confidence for token in self._open) / len(self._open)
        return Word(text, round(start, 3), round(end, 3), confidence)
