"""Converts English words to Kokoro's phonemes: by dictionary and context, then by parts, letters or the spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

from speechmlx.reading.pronunciation import alphabet, compounds, endings, foreign, homographs, names
from speechmlx.reading.pronunciation import dictionary as dictionaries
from speechmlx.reading.pronunciation.dictionary import PRIMARY, SECONDARY, VOWELS, Dictionary, accent, choose, weaken
from speechmlx.reading.pronunciation.said import Said, same_word
from speechmlx.reading.pronunciation.spelling import to_british
from speechmlx.reading.pronunciation.tagging import WordContext, place
from speechmlx.reading.tokens import Pause, SpokenWord, Token

Result = TypeVar("Result")
Spelling = Callable[[str], str]

LONGEST = 50  # letters of the longest word; more are cut into parts, each a step of its own
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
WORDLIKE = re.compile(r"[aeiouy]", re.IGNORECASE)
REPEATED = re.compile(r"(.)\1{2,}")
STRONG = {"a": "ˈA", "an": "ˈæn", "the": "ðˈi", "to": "tˈu"}
DIGITS = "zero one two three four five six seven eight nine".split()
APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})


@dataclass(frozen=True)
class English:
    """The English reader. `spelling` converts words that are not in a dictionary (lower-case Latin letters)."""

    in_runs: ClassVar[bool] = False

    dictionary: Dictionary
    spelling: Spelling
    known: dict[str, str] = field(default_factory=dict)
    """Spelled words of this reading, so that each is converted once."""

    def phonemes(self, tokens: Sequence[Token]) -> Said:
        """The phonemes of each token; a mark is its own, a word that has no sound has ""."""
        return _result(self.steps(tokens))

    def steps(self, tokens: Sequence[Token]) -> Generator[None, None, Said]:
        """As `phonemes`, in steps. A step ends after each word that is not in a dictionary, because such are slow."""
        unknown = 0

        def spelling(word: str) -> str:
            nonlocal unknown
            unknown += 1
            return self.spelling(word)

        reader, counted = replace(self, spelling=spelling, known={}), 0
        words = [t.text.translate(APOSTROPHES) if isinstance(t, SpokenWord) else t.mark or "," for t in tokens]
        phonemes = [""] * len(tokens)
        following: str | None = None  # first phoneme of the next word; None before a pause or the end
        for i in reversed(range(len(tokens))):
            token = tokens[i]
            if isinstance(token, Pause):
                phonemes[i] = token.mark if token.mark in alphabet.KOKORO else ""
            else:
                phonemes[i] = yield from reader._word(tokens, words, i, following)
            following = _first_phoneme(phonemes[i] or (words[i] if isinstance(token, Pause) else ""), following)
            if unknown > counted:
                counted = unknown
                yield
        return list(zip(map(_kokoro, phonemes), tokens, strict=True))

    def _word(
        self, tokens: Sequence[Token], words: Sequence[str], i: int, following: str | None
    ) -> Generator[None, None, str]:
        token, text = tokens[i], words[i]
        assert isinstance(token, SpokenWord)
        if token.phonemes is not None:
            return alphabet.given(token.phonemes, self.dictionary.british)
        if token.is_letter:
            return self._letter(text, last=not _more_letters(tokens, i))
        parts = [word[start : start + LONGEST] for word in text.split() for start in range(0, len(word), LONGEST)]
        found = []
        for number, part in enumerate(parts):
            if number:
                yield
            found.append(self._pronounced(part, words, i, following, token.emphasis > 0))
        phonemes = " ".join(filter(None, found))
        if token.emphasis > 0:
            return accent(phonemes, PRIMARY)
        return weaken(phonemes) if token.emphasis < 0 else phonemes

    def _pronounced(self, text: str, words: Sequence[str], i: int, following: str | None, strong: bool) -> str:
        at = place(words, i)
        special = STRONG.get(at.word) if strong else self._function_word(text, at, following)
        if special is not None:
            return special
        phonemes = self._entry(text, at, following)
        if phonemes is None:
            phonemes = self._alone(text, at) or ""
        if text.islower():
            return phonemes
        return accent(phonemes, PRIMARY if text.isupper() and len(text) > 1 else SECONDARY)

    def _function_word(self, text: str, at: WordContext, following: str | None) -> str | None:
        """Phonemes of a word that depends on the phoneme after it (a, the, to); None for other words."""
        vowel = following is not None and following in VOWELS
        alone = len(at.words) == 1
        match at.word if len(at.word) < 5 else "":
            case "a" if not alone:
                return "ɐ"
            case "an":
                return "ɐn"
            case "the":
                return "ði" if vowel else "ðə"
            case "to":
                return "tu" if following is None else "tʊ" if vowel else "tə"
            case "in":
                return f"{PRIMARY}ɪn" if following is None else "ɪn"
            case "i":
                return f"{SECONDARY}I"
            case "am" if text == "am" and following is not None:
                return "ɐm"
        return None

    def _entry(self, text: str, at: WordContext, following: str | None) -> str | None:
        """Phonemes by our tables and the dictionary's own entries; None if neither has the word."""
        meant = homographs.choose(at)
        if not isinstance(meant, str):
            return meant.gb if self.dictionary.british and meant.gb else self._local(meant.us)
        lower = text.lower()
        own = endings.CONTRACTED.get(lower) or (None if self._listed(lower) else _own(lower))
        if own is not None:
            return self._local(own)
        gold = self.dictionary.gold.get(text)
        entry = gold if isinstance(gold, str) else self.dictionary.entry(lower if text.isupper() else text)
        if entry is None or isinstance(entry, str):
            return entry
        if following is None and "None" in entry:
            return choose(entry, "None")
        return choose(entry, meant or homographs.part(at, frozenset(entry)))

    def _alone(self, text: str, at: WordContext | None = None) -> str | None:
        """Phonemes of a word that has no entry: by its parts, its letters or its spelling. None if it has no sound."""
        for way in (self._hyphenated, self._apostrophe, self._stemmed, self._rejoined, self._plain, self._shortened):
            phonemes = way(text, at)
            if phonemes:
                return phonemes
        return self._unknown(text)

    def _listed(self, lower: str) -> bool:
        return lower in self.dictionary.gold or lower.capitalize() in self.dictionary.gold

    def _say(self, text: str) -> str | None:
        """Phonemes of a part of a word, out of context."""
        own = None if self._listed(text.lower()) else _own(text.lower())
        if own is not None:
            return self._local(own)
        entry = self.dictionary.entry(text)
        phonemes = choose(entry, "") if entry is not None else None
        return phonemes or (self._alone(text) if text else None)

    def _hyphenated(self, text: str, at: WordContext | None) -> str | None:
        if "-" not in text.strip("-"):
            return self._say(text.strip("-")) if "-" in text else None
        return compounds.hyphenated(text.strip("-"), self._say, self._letters, self.dictionary)

    def _apostrophe(self, text: str, at: WordContext | None) -> str | None:
        if "'" not in text:
            return None
        stripped = text.strip("'")
        if text.startswith("'"):
            return self._say(stripped) if stripped else None
        return endings.contracted(text, self._say, self.dictionary)

    def _stemmed(self, text: str, at: WordContext | None) -> str | None:
        part = homographs.part(at, frozenset(("NOUN", "VERB"))) if at is not None else ""
        return self.dictionary.pronounce(text, part)

    def _rejoined(self, text: str, at: WordContext | None) -> str | None:
        """ "wifi", "WiFi" → Wi-Fi."""
        whole = self.dictionary.joined.get(text.lower())
        return self.dictionary.pronounce(whole, "") if whole else None

    def _plain(self, text: str, at: WordContext | None) -> str | None:
        """A word with foreign letters, asked without accents."""
        plain = foreign.plain(text)
        if plain == text:
            return None
        entry = self.dictionary.entry(plain)
        return choose(entry, "") if entry is not None else self.dictionary.pronounce(plain, "")

    def _shortened(self, text: str, at: WordContext | None) -> str | None:
        """ "sooooo" → so, "goood" → good: a letter that is drawn out."""
        if not REPEATED.search(text):
            return None
        for short in (REPEATED.sub(r"\1\1", text), REPEATED.sub(r"\1", text)):
            phonemes = self.dictionary.pronounce(short, "")
            if phonemes:
                return phonemes
        return self._unknown(REPEATED.sub(r"\1\1", text))

    def _unknown(self, text: str) -> str:
        """Phonemes of a word that no dictionary has: as a compound, letter names, or by the spelling model."""
        word = foreign.respelled("".join(c for c in text if c.isalnum()))
        if any(c.isdecimal() for c in word):
            return " ".join(filter(None, (self._say(_digit(c)) for c in word)))
        if any(c.isalpha() and not c.isascii() for c in word):
            return " ".join(filter(None, (self._letter(c) for c in word[:LONGEST])))
        humps = compounds.humps(word)
        if len(humps) > 1:
            return "".join(filter(None, (compounds.MAC.get(hump) or self._say(hump) for hump in humps)))
        lower = word.lower()
        phonemes = self.known.get(lower)
        if phonemes is None:
            compound = compounds.compound(lower, self.dictionary)
            phonemes = compound or (self.spelling(lower) if WORDLIKE.search(lower) and len(lower) > 1 else "")
            if not any(c in VOWELS or c == "ᵊ" for c in phonemes):
                phonemes = self.dictionary.spell(lower) or ""
            self.known[lower] = phonemes
        return phonemes

    def _letters(self, text: str) -> str:
        return self.dictionary.spell(text) or ""

    def _letter(self, text: str, last: bool = True) -> str:
        """The name of a letter, with its plural or possessive ending; weaker if more letters of its word follow."""
        stem, _, ending = text.partition("'")
        if not ending and len(stem) > 1 and stem.endswith("s"):
            stem, ending = stem[:-1], "s"
        names = [self._name(c) for c in stem[:LONGEST] if c.isalpha()]
        phonemes = "".join(filter(None, names))
        if not phonemes:
            return ""
        if ending:
            phonemes = endings.contracted(f"x'{ending}", lambda _: phonemes, self.dictionary) or phonemes
        return phonemes if last else phonemes.replace(PRIMARY, SECONDARY)

    def _name(self, letter: str) -> str | None:
        plain = foreign.plain(letter)
        if plain.isascii():
            return self.dictionary.spell(plain)
        name = foreign.letter_name(letter)
        return self._say(name) if name else None

    def _local(self, american: str) -> str:
        return to_british(american) if self.dictionary.british else american


def _own(lower: str) -> str | None:
    """American phonemes of our tables of names and foreign words."""
    return names.NAMES.get(lower) or foreign.ACCENTED.get(lower)


def _more_letters(tokens: Sequence[Token], i: int) -> bool:
    """Whether the next token is a letter of the same word."""
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    return isinstance(after, SpokenWord) and after.is_letter and same_word(tokens[i], after)


def _digit(letter: str) -> str:
    return DIGITS[unicodedata.digit(letter)] if letter.isdecimal() else letter


def _first_phoneme(phonemes: str, following: str | None) -> str | None:
    for c in phonemes:
        if c in VOWELS or c in CONSONANTS:
            return c
        if c in ";:,.!?—…":
            return None
    return following


def _kokoro(phonemes: str) -> str:
    return phonemes.replace("ɾ", "T").replace("ʔ", "t")


def _result(steps: Generator[None, None, Result]) -> Result:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: Result = end.value
            return value


def load(british: bool, spelling: Spelling) -> English:
    return English(dictionaries.load(british), spelling)
