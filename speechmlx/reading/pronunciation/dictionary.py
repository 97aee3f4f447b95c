"""The English pronunciation dictionaries of the misaki package (Apache-2.0), with rules for suffixes and stress.

The phonemes are Kokoro's: IPA with single letters for diphthongs (A I O W Y, British Q) and affricates.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

Entry = str | Mapping[str, str | None]

PRIMARY, SECONDARY = "ˈ", "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")
FLAPPING = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
SIBILANTS, VOICELESS = frozenset("szʃʒʧʤ"), frozenset("ptkfθ")
DOUBLED = frozenset("bdgklmnprtvz")


@dataclass(frozen=True)
class Dictionary:
    """Maps words to phonemes. `gold` is checked by hand and may depend on the part of speech; `silver` is unchecked."""

    gold: Mapping[str, Entry] = field(repr=False)
    silver: Mapping[str, Entry] = field(repr=False)
    british: bool

    def entry(self, word: str) -> Entry | None:
        """The dictionary entry for `word`; the case of letters may differ. None if there is none."""
        lower = word.lower()
        for spelling in dict.fromkeys((word, lower, lower.capitalize())):
            for table in (self.gold, self.silver):
                if spelling in table:
                    return table[spelling]
        return None

    @cached_property
    def joined(self) -> Mapping[str, str]:
        """Hyphenated entries by their letters in lower case: wifi → Wi-Fi."""
        hyphenated = (key for key in self.gold if "-" in key.strip("-"))
        return {key.replace("-", "").lower(): key for key in hyphenated}

    def pronounce(self, word: str, tag: str) -> str | None:
        """Phonemes of `word` with the part of speech `tag`, by dictionary or stem and suffix; None if unknown."""
        entry = self.entry(word)
        if entry is not None:
            return choose(entry, tag)
        return (
            self._possessive(word, tag) or self._with_s(word, tag) or self._with_ed(word, tag) or self._ing(word, tag)
        )

    def _stem(self, tag: str, *candidates: str) -> str | None:
        for stem in candidates:
            entry = self.entry(stem) if len(stem) > 1 else None
            if entry is not None:
                return choose(entry, tag)
        return None

    def _possessive(self, word: str, tag: str) -> str | None:
        if word.endswith("'s"):
            stem = self.pronounce(word[:-2], "NOUN")
            return stem and self.add_s(stem)
        return self.pronounce(word[:-1], "NOUN") if word.endswith("'") and len(word) > 2 else None

    def _with_s(self, word: str, tag: str) -> str | None:
        if len(word) < 3 or not word.lower().endswith("s") or word.lower().endswith("ss"):
            return None
        candidates = [word[:-1]]
        if word.lower().endswith("ies"):
            candidates.append(word[:-3] + "y")
        elif word.lower().endswith("es"):
            candidates.append(word[:-2])
        stem = self._stem(tag, *candidates)
        return stem and self.add_s(stem)

    def _with_ed(self, word: str, tag: str) -> str | None:
        if len(word) < 4 or not word.lower().endswith("ed"):
            return None
        candidates = [word[:-1], word[:-2]]
        if word[-3] == word[-4] and word[-3] in DOUBLED:
            candidates.append(word[:-3])
        if word.lower().endswith("ied"):
            candidates.insert(0, word[:-3] + "y")
        stem = self._stem("VERB", *candidates)
        return stem and self.add_ed(stem)

    def _ing(self, word: str, tag: str) -> str | None:
        if len(word) < 5 or not word.lower().endswith("ing"):
            return None
        candidates = [word[:-3], word[:-3] + "e"]
        if word[-4] == word[-5] and word[-4] in DOUBLED:
            candidates.append(word[:-4])
        stem = self._stem("VERB", *candidates)
        if stem is None or (self.british and stem[-1] in "əː"):
            return None
        return self._flapped(stem) + "ɪŋ"

    def _flapped(self, stem: str) -> str:
        """Replace a final t after a vowel or r by a flap, in American English."""
        if not self.british and len(stem) > 1 and stem[-1] == "t" and stem[-2] in FLAPPING:
            return stem[:-1] + "ɾ"
        return stem

    def add_s(self, stem: str) -> str:
        if stem[-1] in VOICELESS:
            return stem + "s"
        return stem + (("ɪz" if self.british else "ᵻz") if stem[-1] in SIBILANTS else "z")

    def add_ed(self, stem: str) -> str:
        if stem[-1] in "td":
            return self._flapped(stem) + ("ɪd" if self.british else "ᵻd")
        return stem + ("t" if stem[-1] in "pkfθʃsʧ" else "d")

    def spell(self, letters: str) -> str | None:
        """ "FBI" → the names of its letters, with primary stress on the last. None if a letter has no name."""
        names = [self.gold.get(c.upper()) for c in letters if c.isalpha()]
        if not names or not all(isinstance(n, str) for n in names):
            return None
        phonemes = "".join(str(n) for n in names).replace(PRIMARY, SECONDARY)
        return phonemes[::-1].replace(SECONDARY, PRIMARY, 1)[::-1]


@cache
def load(british: bool) -> Dictionary:
    """Load the two dictionaries of American or British English from the misaki package, once (0.4 s, 45 MB)."""
    folder = importlib.resources.files("misaki.data")
    name = "gb" if british else "us"
    gold, silver = (json.loads((folder / f"{name}_{kind}.json").read_bytes()) for kind in ("gold", "silver"))
    return Dictionary(gold, silver, british)


def choose(entry: Entry, tag: str) -> str | None:
    """The pronunciation in `entry` for the part of speech `tag`; None if the letters must be spelled."""
    if isinstance(entry, str):
        return entry
    if tag in entry:
        return entry[tag]
    if tag in ("VBD", "VBN") and "VERB" in entry:
        return entry["VERB"]
    return entry["DEFAULT"]


def unstress(phonemes: str) -> str:
    return phonemes.replace(PRIMARY, "").replace(SECONDARY, "")


def weaken(phonemes: str) -> str:
    """Primary stress → secondary, secondary → none."""
    return phonemes.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)


def accent(phonemes: str, mark: str) -> str:
    """Put `mark` before the first vowel of a word that has no stress; a primary mark also lifts a secondary stress."""
    if PRIMARY in phonemes:
        return phonemes
    if SECONDARY in phonemes:
        return phonemes.replace(SECONDARY, PRIMARY) if mark == PRIMARY else phonemes
    place = next((i for i, c in enumerate(phonemes) if c in VOWELS), None)
    return phonemes if place is None else phonemes[:place] + mark + phonemes[place:]
