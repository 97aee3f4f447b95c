"""English phonemes that a lexicon or SSML gives → CosyVoice 3's signs for the sounds of CMU's dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from speechmlx.reading import SpokenWord

VOWELS = {
    "A": "EY", "I": "AY", "W": "AW", "O": "OW", "Q": "OW", "Y": "OY", "a": "AA", "ɑ": "AA", "ɒ": "AA", "æ": "AE",
    "ʌ": "AH", "ə": "AH", "ᵊ": "AH", "ɐ": "AH", "ɔ": "AO", "e": "EH", "ɛ": "EH", "ɜ": "ER", "ɪ": "IH", "ᵻ": "IH",
    "i": "IY", "o": "OW", "ʊ": "UH", "u": "UW",
}  # fmt: skip
CONSONANTS = {
    "b": "B", "ʧ": "CH", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "ʤ": "JH", "k": "K", "l": "L", "m": "M",
    "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "ɾ": "D", "s": "S", "ʃ": "SH", "t": "T", "ʔ": "T", "T": "T", "θ": "TH",
    "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
"""Of Kokoro's letters, in which a lexicon gives English phonemes."""
STRESS = {"ˈ": "1", "ˌ": "2"}


def signs_of(words: Sequence[SpokenWord], signs: Set[str]) -> str:
    """The signs of words that all have phonemes: "[HH][AH0][L][OW1]". "" where there are none, or the model has none.

    A word with a sound that English has not is said as it is written: "" too.
    """
    if not all(word.phonemes for word in words):
        return ""
    found = [f"[{sound}]" for word in words for sound in _sounds(word.phonemes or "")]
    return "".join(found) if found and signs >= set(found) else ""


def _sounds(phonemes: str) -> Iterator[str]:
    """Their names in the dictionary, vowels with their stress; "?" for an unknown one."""
    stress, place = "0", 0
    while place < len(phonemes):
        letter = phonemes[place]
        place += 1
        if letter in STRESS:
            stress = STRESS[letter]
        elif letter in "əɜ" and phonemes[place : place + 1] == "ɹ":
            yield f"ER{stress}"
            stress, place = "0", place + 1
        elif letter in VOWELS:
            yield VOWELS[letter] + stress
            stress = "0"
        elif letter not in " ːʰ":
            yield CONSONANTS.get(letter, "?")
