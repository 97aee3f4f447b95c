"""When the words of a text are said, from the durations of their phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from speechmlx.engines.kokoro.word_places import PlacedWord
from speechmlx.types import Chunk, WordTime

SILENCE = 164
"""Magnitude of a PCM16 sample up to which it is silence: -46 dB."""


@dataclass(frozen=True)
class SpeechSound:
    """The sound of one piece."""

    chunk: Chunk
    ends: np.ndarray
    """When each phoneme ends [1 + phonemes or more], in seconds of the chunk; the first value is where they begin."""

    def span(self, start: int, end: int) -> tuple[float, float]:
        """When phonemes[start:end] begin and when they fall silent, in seconds of the chunk.

        Before a pause the model counts a part of the silence as the last phoneme's.
        """
        first, last = (float(self.ends[place]) for place in (start, end))
        bounds = (round(seconds * self.chunk.rate) for seconds in (first, last))
        samples = np.frombuffer(self.chunk.pcm16, "<i2")[slice(*bounds)]
        loud = np.flatnonzero((samples > SILENCE) | (samples < -SILENCE))
        return first, min(last, first + (int(loud[-1]) + 1) / self.chunk.rate) if loud.size else last


NO_SOUND = SpeechSound(Chunk(b"", 1), np.zeros(1))
"""Of words without phonemes."""


class SpokenWordTimes:
    """The words of one request while it is said. A word that goes on in the next piece comes with its end."""

    def __init__(self) -> None:
        self._open: WordTime | None = None

    def add(self, words: Sequence[PlacedWord], sound: SpeechSound, began: float, at: int) -> tuple[WordTime, ...]:
        """The words that end in a piece, which begins at `began` seconds of the request's sound.

        `at`: where the text that the words have their places in begins, in characters of the request's text. A word
        without a sound ends when it begins.
        """
        found: list[WordTime] = []
        for placed in words:
            word = placed.word
            start, end = (began + seconds for seconds in sound.span(placed.start, placed.end))
            time = WordTime(word.text, start, end, at + word.start, at + word.end)
            if self._open is not None:
                time, self._open = replace(time, start=self._open.start), None
            if placed.goes_on:
                self._open = time
            else:
                found.append(time)
        return tuple(found)
