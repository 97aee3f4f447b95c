"""LiveState: what a live stream has heard at one moment, and what tests ask about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from speechmlx.testing.word_errors import word_error_rate
from speechmlx.types import Word

SILENCE = 5.0
"""Seconds: a longer pause between words is a silence."""
OVERLAP = 0.05
"""Seconds that the times of two words may overlap: a recogniser's times are that exact."""


@dataclass(frozen=True)
class LiveState:
    """Times are seconds of the audio that was fed."""

    words: tuple[Word, ...] = ()
    """Final: they never change."""
    tail: tuple[Word, ...] = ()
    """After them, unsure."""
    fed: float = 0.0
    """Seconds of audio that were fed by then."""

    @property
    def text(self) -> str:
        """All words, final and unsure."""
        return _joined((*self.words, *self.tail))

    @property
    def committed_text(self) -> str:
        """The words that are final."""
        return _joined(self.words)

    @property
    def tail_text(self) -> str:
        """The words that are unsure."""
        return _joined(self.tail)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who was heard, in order; empty where speakers are not told apart."""
        return tuple(dict.fromkeys(word.speaker for word in self.words if word.speaker is not None))

    def speaker_at(self, seconds: float) -> str | None:
        """Who says the word at a time; None where nobody does."""
        return next((word.speaker for word in self.words if word.start <= seconds < word.end), None)

    def text_between(self, start: float, end: float) -> str:
        """The final words that begin from `start` to `end` seconds."""
        return _joined(tuple(word for word in self.words if start <= word.start < end))

    def silences(self, seconds: float = SILENCE) -> tuple[tuple[float, float], ...]:
        """(start, end) of the pauses before, between and after all words that last longer than `seconds`."""
        spoken = [(0.0, 0.0), *((word.start, word.end) for word in (*self.words, *self.tail)), (self.fed, self.fed)]
        gaps = ((before[1], after[0]) for before, after in pairwise(spoken))
        return tuple((start, end) for start, end in gaps if end - start > seconds)

    @property
    def timing_errors(self) -> tuple[str, ...]:
        """What is wrong with the times of the final words; empty where they are in order and within the audio."""
        found = [f"{_shown(word)} ends before it begins" for word in self.words if word.end < word.start]
        found += [
            f"{_shown(after)} begins before {_shown(before)} ends"
            for before, after in pairwise(self.words)
            if after.start < before.end - OVERLAP
        ]
        found += [f"{_shown(word)} ends after the audio, {self.fed:.2f} s" for word in self.words if self._late(word)]
        return tuple(found)

    def wer(self, reference: str) -> float:
        """Word errors of `text` per word of the reference: see `word_error_rate`."""
        return word_error_rate(reference, self.text)

    def _late(self, word: Word) -> bool:
        return word.end > self.fed + OVERLAP


def _joined(words: tuple[Word, ...]) -> str:
    return "".join(word.text for word in words).strip()


def _shown(word: Word) -> str:
    return f"{word.text.strip()!r} ({word.start:.2f} to {word.end:.2f} s)"
