"""Converts English text to Kokoro's phonemes: by dictionary, then by stem, letter names or the spelling model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from speechmlx.reading.pronunciation import dictionary as dictionaries
from speechmlx.reading.pronunciation.dictionary import PRIMARY, SECONDARY, VOWELS, Dictionary, accent, weaken
from speechmlx.reading.pronunciation.normalise import normalise
from speechmlx.reading.pronunciation.tagging import BE, STOPS, tag

Spelling = Callable[[str], str]

# A longer run of letters than any word has is cut into parts. Each part is converted in its own step.
WORD = r"[^\W\d_]{1,50}"
TOKEN = re.compile(rf"[^\W\d_]\.(?:[^\W\d_]\.)*[^\W\d_](?![^\W\d_])|{WORD}(?:'{WORD})*'?|[.,!?;:—…“”\"()-]")
CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
WORDLIKE = re.compile(r"[aeiouy]", re.IGNORECASE)


@dataclass(frozen=True)
class English:
    """The English reader. `spelling` converts words that are not in a dictionary (lower-case Latin letters)."""

    dictionary: Dictionary
    spelling: Spelling

    def __call__(self, text: str) -> str:
        """Convert any text to phonemes, with spaces between words. Returns "" for text that has no pronunciation."""
        reading = self.steps(text)
        while True:
            try:
                next(reading)
            except StopIteration as read:
                return str(read.value)

    def steps(self, text: str) -> Generator[None, None, str]:
        """Convert in steps. A step ends after each word that is not in a dictionary, because such words are slow."""
        unknown = 0

        def spelling(word: str) -> str:
            nonlocal unknown
            unknown += 1
            return self.spelling(word)

        counting, counted = replace(self, spelling=spelling), 0
        all_capitals = text.isupper() and len(text.split()) > 3
        text = normalise(text.lower() if all_capitals else text, self.dictionary.british)
        matches = list(TOKEN.finditer(text))
        tokens = [m[0] for m in matches]
        lower = [t.lower() for t in tokens]
        phonemes: list[str] = [""] * len(tokens)
        following: str | None = None  # first phoneme of the next word; None before a pause or the end
        for i in reversed(range(len(tokens))):
            phonemes[i] = counting._token(tokens, lower, i, following)
            following = _first_phoneme(phonemes[i], following)
            if unknown > counted:
                counted = unknown
                yield
        gaps = [text[m.end() : m.end() + 1].isspace() for m in matches]
        joined = "".join(s + " " * g for s, g in zip(phonemes, gaps, strict=True))
        return re.sub(r"\s+", " ", joined).strip().replace("ɾ", "T").replace("ʔ", "t")

    def _token(self, tokens: list[str], lower: list[str], i: int, following: str | None) -> str:
        token = tokens[i]
        if token == "-":
            return " "
        if not token[0].isalpha():
            return token
        special = self._function_word(token, lower, i, following)
        if special is not None:
            return special
        if "." in token:
            return self.dictionary.spell(token) or ""
        part = tag(lower, i)
        if following is None:
            entry = self.dictionary.entry(token)
            if not isinstance(entry, str) and entry is not None and "None" in entry:
                part = "None"
        return self._word(token, part)

    def _function_word(self, token: str, lower: list[str], i: int, following: str | None) -> str | None:
        """Phonemes of a word that depends on the phoneme after it (a, the, to); None for other words."""
        vowel = following is not None and following in VOWELS
        alone = len(tokens_around(lower, i)) < 1
        match lower[i]:
            case "a" if not alone and (token == "a" or following is not None):
                return "ɐ"
            case "an":
                return "ɐn"
            case "the":
                return "ði" if vowel else "ðə"
            case "to" if token != "TO" or following is not None:
                return "tu" if following is None else "tʊ" if vowel else "tə"
            case "in":
                return f"{PRIMARY}ɪn" if following is None else "ɪn"
            case "i" if token == "I":
                return f"{SECONDARY}I"
            case "am" if token == "am" and following is not None:
                return "ɐm"
            case "used" if i + 1 < len(lower) and lower[i + 1] == "to" and tag(lower, i) == "VBD":
                return "jˈust" if i and lower[i - 1] not in BE else "jˈuzd"
        return None

    def _word(self, token: str, part: str) -> str:
        plain = "".join(c for c in unicodedata.normalize("NFKD", token) if not unicodedata.combining(c))
        phonemes = self._acronym(plain) or self.dictionary.pronounce(plain, part)
        if phonemes is None:
            return self._unknown(plain)
        if plain == plain.lower():
            return phonemes
        return accent(phonemes, PRIMARY if plain.isupper() and len(plain) > 1 else SECONDARY)

    def _acronym(self, word: str) -> str | None:
        """Letter names of an acronym (FBI, USA), its plural or possessive; None for other words."""
        stem, ending = re.fullmatch(r"(.*?)('s|s)?", word).groups() if word[:2].isupper() else (word, None)  # type: ignore[union-attr]
        if not stem.isupper() or len(stem) < 2:
            return None
        entry = self.dictionary.gold.get(stem)
        known = self.dictionary.entry(stem) if len(stem) > 3 or WORDLIKE.search(stem) else None
        if stem in ("US", "IT", "AM", "PM", "ID", "OS", "AD", "LA") or (entry is None and known is None):
            phonemes = self.dictionary.spell(stem) if len(stem) < 5 or not WORDLIKE.search(stem) else None
            return self.dictionary.add_s(phonemes) if phonemes and ending else phonemes
        return None

    def _unknown(self, word: str) -> str:
        """Convert a word that is not in a dictionary: by capitalised parts, as a compound, or by the spelling model."""
        parts = CAMEL.findall(word)
        if len(parts) > 1 and not word.isupper():
            return "".join(self._word(p, "") for p in parts)
        ending = "'s" if word.lower().endswith("'s") else ""
        stem = word.lower().removesuffix("'s").replace("'", "")
        phonemes = self._compound(stem) or (self.spelling(stem) if WORDLIKE.search(stem) and len(stem) > 1 else "")
        if not any(c in VOWELS or c == "ᵊ" for c in phonemes):
            phonemes = self.dictionary.spell(stem) or ""
        return self.dictionary.add_s(phonemes) if ending and phonemes else phonemes

    def _compound(self, word: str) -> str | None:
        """ "bookcart" → book + cart, the second with weaker stress. Both halves have at least four letters."""
        for cut in sorted(range(4, len(word) - 3), key=lambda c: abs(2 * c - len(word))):
            halves = [self.dictionary.gold.get(half) for half in (word[:cut], word[cut:])]
            if all(isinstance(h, str) for h in halves):
                return str(halves[0]) + weaken(str(halves[1]))
        return None


def tokens_around(lower: list[str], i: int) -> list[str]:
    return [t for j, t in enumerate(lower) if j != i and t not in STOPS]


def _first_phoneme(phonemes: str, following: str | None) -> str | None:
    for c in phonemes:
        if c in VOWELS or c in CONSONANTS:
            return c
        if c in ";:,.!?—…":
            return None
    return following


def load(british: bool, spelling: Spelling) -> English:
    return English(dictionaries.load(british), spelling)
