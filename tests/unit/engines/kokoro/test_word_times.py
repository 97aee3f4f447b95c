"""Times of words from the durations of phonemes."""

from __future__ import annotations

import numpy as np

from speechmlx.engines.kokoro.word_places import PlacedWord
from speechmlx.engines.kokoro.word_times import NO_SOUND, SpeechSound, SpokenWordTimes
from speechmlx.reading.written import WrittenWord
from speechmlx.types import Chunk, WordTime

RATE = 1000
ONE, TWO = WrittenWord("one", 0, 3), WrittenWord("two", 4, 7)


def sound(*loud: tuple[int, int], samples: int = 1000) -> SpeechSound:
    """Samples that are loud in ranges, and phonemes of 0.1 s."""
    pcm = np.zeros(samples, "<i2")
    for start, end in loud:
        pcm[start:end] = -3000
    return SpeechSound(Chunk(pcm.tobytes(), RATE), np.arange(samples // 100) / 10)


def test_a_word_ends_where_it_falls_silent() -> None:
    words = SpokenWordTimes().add([PlacedWord(ONE, 1, 3), PlacedWord(TWO, 4, 8)], sound((50, 300), (400, 500)), 2.0, 10)
    assert words == (WordTime("one", 2.1, 2.3, 10, 13), WordTime("two", 2.4, 2.5, 14, 17))


def test_a_word_that_is_too_soft_has_all_of_its_phonemes() -> None:
    assert SpokenWordTimes().add([PlacedWord(ONE, 1, 3)], sound(), 0.0, 0) == (WordTime("one", 0.1, 0.3, 0, 3),)


def test_a_word_in_two_pieces_comes_with_its_end() -> None:
    words = SpokenWordTimes()
    assert words.add([PlacedWord(ONE, 5, 9, goes_on=True)], sound((0, 1000)), 0.0, 0) == ()
    assert words.add([PlacedWord(ONE, 0, 2), PlacedWord(TWO, 3, 4)], sound((0, 1000)), 1.0, 0) == (
        WordTime("one", 0.5, 1.2, 0, 3),
        WordTime("two", 1.3, 1.4, 4, 7),
    )


def test_a_word_without_a_sound_has_a_place() -> None:
    assert SpokenWordTimes().add([PlacedWord(ONE, 0, 0)], NO_SOUND, 1.5, 0) == (WordTime("one", 1.5, 1.5, 0, 3),)
