"""English phones as the CMU dictionary writes them, made of the letters of Kokoro's phonemes."""

from __future__ import annotations

from speechmlx.reading.pronunciation.dictionary import PRIMARY, SECONDARY, VOWELS, accent

PHONES = {
    "A": "ey", "I": "ay", "O": "ow", "Q": "ow", "W": "aw", "Y": "oy", "æ": "ae", "a": "ae", "ɑ": "aa", "ɒ": "aa",
    "ʌ": "ah", "ə": "ah", "ɐ": "ah", "ᵊ": "ah", "ɔ": "ao", "o": "ao", "ɛ": "eh", "e": "eh", "ɜ": "er", "ɚ": "er",
    "œ": "er", "ø": "er", "ɪ": "ih", "ᵻ": "ih", "ɨ": "ih", "i": "iy", "y": "uw", "ʊ": "uh", "u": "uw", "ɯ": "uw",
    "b": "b", "β": "b", "ʧ": "ch", "d": "d", "ð": "dh", "f": "f", "ɸ": "f", "ɡ": "g", "ɣ": "g", "h": "hh", "ç": "hh",
    "ʤ": "jh", "k": "k", "x": "k", "χ": "k", "c": "k", "q": "k", "l": "l", "m": "m", "n": "n", "ɲ": "n", "ɳ": "n",
    "ŋ": "ng", "p": "p", "ɹ": "r", "r": "r", "ʁ": "r", "ɽ": "r", "ɻ": "r", "s": "s", "ʃ": "sh", "ʂ": "sh", "ɕ": "sh",
    "t": "t", "T": "t", "ɾ": "t", "ʔ": "t", "ʈ": "t", "θ": "th", "v": "V", "ʋ": "V", "w": "w", "ɥ": "w", "ɰ": "w",
    "j": "y", "ʝ": "y", "ʎ": "y", "z": "z", "ʒ": "zh", "ʦ": "t s", "ʣ": "d z", "ʨ": "ch", "ʥ": "jh", "\u0303": "n",
}  # fmt: skip
"""The phone of each letter; the others have none."""
WEAK = frozenset("əɐᵊᵻ")
"""Vowels that a word alone does not stress."""
UNSTRESSED, STRESSED, HALF_STRESSED = 1, 2, 3
"""Tones of vowels; other phones have 0."""
SYLLABIC = frozenset("A I O Q W Y æ a ɑ ɒ ʌ ə ɐ ᵊ ɔ o ɛ e ɜ ɚ œ ø ɪ ᵻ ɨ i y ʊ u ɯ".split())


def arpabet(phonemes: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The phones of a word, and the tone of each: its stress. The dictionary stresses each word that can be."""
    if any(letter in VOWELS and letter not in WEAK for letter in phonemes):
        phonemes = accent(phonemes, PRIMARY)
    phones, tones = list[str](), list[int]()
    stress, place = UNSTRESSED, 0
    while place < len(phonemes):
        letter = phonemes[place]
        place += 1
        if letter in (PRIMARY, SECONDARY):
            stress = STRESSED if letter == PRIMARY else HALF_STRESSED
        elif letter in PHONES:
            is_r = phonemes[place : place + 1] == "ɹ"
            if is_r and (letter == "ɜ" or (letter == "ə" and phones)):  # "around" begins with two phones
                found, place = ["er"], place + 1
            else:
                found = PHONES[letter].split()
            phones += found
            tones += [stress if letter in SYLLABIC else 0] * len(found)
            stress = UNSTRESSED if letter in SYLLABIC else stress
    return tuple(phones), tuple(tones)
