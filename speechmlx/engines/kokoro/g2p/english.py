"""English text → the phonemes Kokoro was trained on: dictionary first, then stems, spelling out, and spelling rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from speechmlx.engines.kokoro.g2p import lexicon as lexicons
from speechmlx.engines.kokoro.g2p.lexicon import PRIMARY, SECONDARY, VOWELS, Lexicon, accent, weaken
from speechmlx.engines.kokoro.g2p.normalise import normalise
from speechmlx.engines.kokoro.g2p.tagging import BE, STOPS, tag

Spelling = Callable[[str], str]

# A word of more letters than any has is read in parts, each in a step of its own.
WORD = r"[^\W\d_]{1,50}"
TOKEN = re.compile(rf"[^\W\d_]\.(?:[^\W\d_]\.)*[^\W\d_](?![^\W\d_])|{WORD}(?:'{WORD})*'?|[.,!?;:—…“”\"()-]")
CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
WORDLIKE = re.compile(r"[aeiouy]", re.IGNORECASE)


@dataclass(frozen=True)
class English:
    """What turns English into phonemes; `spelling` says words no dictionary knows (lower case, Latin letters)."""

    lexicon: Lexicon
    spelling: Spelling

    def __call__(self, text: str) -> str:
        """Text of any kind → phonemes, words apart by spaces; empty when nothing in it can be said."""
        reading = self.steps(text)
        while True:
            try:
                next(reading)
            except StopIteration as read:
                return str(read.value)

    def steps(self, text: str) -> Generator[None, None, str]:
        """The same in steps: one ends with each word that no dictionary knows, which takes its time."""
        unknown = 0

        def spelling(word: str) -> str:
            nonlocal unknown
            unknown += 1
            return self.spelling(word)

        watched, seen = replace(self, spelling=spelling), 0
        shouted = text.isupper() and len(text.split()) > 3
        text = normalise(text.lower() if shouted else text, self.lexicon.british)
        found = list(TOKEN.finditer(text))
        tokens = [m[0] for m in found]
        lower = [t.lower() for t in tokens]
        said: list[str] = [""] * len(tokens)
        following: str | None = None  # the first sound after this word; None at a pause or the end
        for i in reversed(range(len(tokens))):
            said[i] = watched._token(tokens, lower, i, following)
            following = _first_sound(said[i], following)
            if unknown > seen:
                seen = unknown
                yield
        gaps = [text[m.end() : m.end() + 1].isspace() for m in found]
        joined = "".join(s + " " * g for s, g in zip(said, gaps, strict=True))
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
            return self.lexicon.spell(token) or ""
        part = tag(lower, i)
        if following is None:
            entry = self.lexicon.entry(token)
            if not isinstance(entry, str) and entry is not None and "None" in entry:
                part = "None"
        return self._word(token, part)

    def _function_word(self, token: str, lower: list[str], i: int, following: str | None) -> str | None:
        """Words whose sound depends on what follows; None for all others."""
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
        said = self._acronym(plain) or self.lexicon.say(plain, part)
        if said is None:
            return self._unknown(plain)
        if plain == plain.lower():
            return said
        return accent(said, PRIMARY if plain.isupper() and len(plain) > 1 else SECONDARY)

    def _acronym(self, word: str) -> str | None:
        """Capitals that are no word: FBI, USA, and their plural and possessive."""
        stem, ending = re.fullmatch(r"(.*?)('s|s)?", word).groups() if word[:2].isupper() else (word, None)  # type: ignore[union-attr]
        if not stem.isupper() or len(stem) < 2:
            return None
        entry = self.lexicon.gold.get(stem)
        known = self.lexicon.entry(stem) if len(stem) > 3 or WORDLIKE.search(stem) else None
        if stem in ("US", "IT", "AM", "PM", "ID", "OS", "AD", "LA") or (entry is None and known is None):
            said = self.lexicon.spell(stem) if len(stem) < 5 or not WORDLIKE.search(stem) else None
            return self.lexicon.add_s(said) if said and ending else said
        return None

    def _unknown(self, word: str) -> str:
        """A word of no dictionary: its capitalised parts, the two words it is made of, or its spelling."""
        parts = CAMEL.findall(word)
        if len(parts) > 1 and not word.isupper():
            return "".join(self._word(p, "") for p in parts)
        ending = "'s" if word.lower().endswith("'s") else ""
        stem = word.lower().removesuffix("'s").replace("'", "")
        said = self._compound(stem) or (self.spelling(stem) if WORDLIKE.search(stem) and len(stem) > 1 else "")
        if not any(c in VOWELS or c == "ᵊ" for c in said):
            said = self.lexicon.spell(stem) or ""
        return self.lexicon.add_s(said) if ending and said else said

    def _compound(self, word: str) -> str | None:
        """ "bookcart" → book and cart, the second weaker; the halves are words of four letters or more."""
        for cut in sorted(range(4, len(word) - 3), key=lambda c: abs(2 * c - len(word))):
            halves = [self.lexicon.gold.get(half) for half in (word[:cut], word[cut:])]
            if all(isinstance(h, str) for h in halves):
                return str(halves[0]) + weaken(str(halves[1]))
        return None


def tokens_around(lower: list[str], i: int) -> list[str]:
    return [t for j, t in enumerate(lower) if j != i and t not in STOPS]


def _first_sound(said: str, following: str | None) -> str | None:
    for c in said:
        if c in VOWELS or c in CONSONANTS:
            return c
        if c in ";:,.!?—…":
            return None
    return following


def load(british: bool, spelling: Spelling) -> English:
    return English(lexicons.load(british), spelling)
