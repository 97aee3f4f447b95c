"""The server's own reader of English for families that would ask espeak-ng, which need nothing besides so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from speechmlx.reading.pronunciation import joined, reader
from speechmlx.reading.reading import read

VOWEL = "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ"
_BEFORE_VOWEL = f"(?=[ˈˌ]?[{VOWEL}])"
ESPEAK = [
    (re.compile(pattern), letters)
    for pattern, letters in (
        (f"(?<![^\\s])əɹ{_BEFORE_VOWEL}", "ɐɹ"),
        (f"ɜɹ{_BEFORE_VOWEL}", "ɜːɹ"),
        ("ɜɹ", "ɜː"),
        (f"əɹ{_BEFORE_VOWEL}", "ɚɹ"),
        ("əɹ", "ɚ"),
        ("(?<=[ˈˌ])[iuɑɔ]", r"\g<0>ː"),
        ("ɔɹ", "ɔːɹ"),
        ("ɑɹ", "ɑːɹ"),
        ("u(?!ː)", "uː"),
        ("A", "eɪ"),
        ("I", "aɪ"),
        ("O", "oʊ"),
        ("Q", "əʊ"),
        ("W", "aʊ"),
        ("Y", "ɔɪ"),
        ("ʧ", "tʃ"),
        ("ʤ", "dʒ"),
        ("ᵊ", "ə"),
        ("T", "ɾ"),
    )
]
"""Letters of Kokoro's phonemes, and what espeak-ng writes for them in American English."""


class EnglishIpa:
    """In the place of the package phonemizer's backend for American English, with stress and marks."""

    def phonemize(self, texts: Sequence[str]) -> list[str]:
        """The phonemes of each text, in the IPA as espeak-ng writes it."""
        return [as_espeak(joined(reader("en-us").phonemes(read(text)))) for text in texts]


def as_espeak(phonemes: str) -> str:
    """A line of Kokoro's phonemes as espeak-ng writes it."""
    for pattern, letters in ESPEAK:
        phonemes = pattern.sub(letters, phonemes)
    return phonemes


PHONEMIZERS = {"kitten_tts": EnglishIpa}
"""By family: what its model's `_phonemizer` is."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {"kitten_tts": {"clean_text": False}}
"""By family: arguments where a client names none. Texts are read here, by more rules than the family's."""


def provide(family: str, model: Any) -> None:
    """Give a model of `family` the reader that it needs."""
    if make := PHONEMIZERS.get(family):
        model._phonemizer = make()
