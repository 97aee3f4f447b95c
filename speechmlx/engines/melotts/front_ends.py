"""Front ends: from the words of a reading to phones, one for each language that the checkpoints are of."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from speechmlx.engines.melotts import kana, pinyin
from speechmlx.engines.melotts.arpabet import arpabet
from speechmlx.engines.melotts.phone_words import PhoneWord, mark
from speechmlx.reading import Pause, SpokenWord, Token, pronunciation

TONES = {"zh": 0, "ja": 6, "en": 7, "es": 12, "fr": 13}
"""The first tone of each language."""
LANGUAGES = {"ja": 1, "en": 2, "zh": 3, "es": 5, "fr": 6}
"""The number of each language; that of Chinese with English words among it."""
LIGATURES = {
    "ʧ": "tʃ", "ʤ": "dʒ", "ʦ": "ts", "ʣ": "dz", "A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "Q": "əʊ",
    "S": "ss", "g": "ɡ", "ᵊ": "ə", "ᵻ": "ɪ", "T": "t",
}  # fmt: skip
"""Letters of Kokoro's that stand for other ones of the IPA."""
MARK, LATIN, HAN = "mark", "latin", "han"

Words = Generator[None, None, list[PhoneWord]]


class FrontEnd(Protocol):
    """Tells words and marks in phones."""

    def check(self) -> None:
        """Load what it reads with. Raises Unsupported, which says how to install what is missing."""

    def steps(self, tokens: Sequence[Token]) -> Words:
        """The phones of each word, in steps. Raises BadRequest for given phonemes that nothing can say."""
        ...


@dataclass(frozen=True)
class EnglishPhones:
    """Words in the phones of the CMU dictionary."""

    def check(self) -> None:
        pronunciation.reader("en-us")

    def steps(self, tokens: Sequence[Token]) -> Words:
        said = yield from pronunciation.reader("en-us").steps(tokens)
        found = list[PhoneWord]()
        for phonemes, token in said:
            if isinstance(token, Pause):
                found += mark(token, TONES["en"])
                continue
            phones, tones = arpabet(phonemes)
            if phones:
                found.append(PhoneWord(token.text, phones, tuple(TONES["en"] + tone for tone in tones)))
        return found


@dataclass(frozen=True)
class IpaPhones:
    """Words of a language that espeak-ng reads, in letters of the IPA."""

    language: str
    symbols: Mapping[str, int]

    def check(self) -> None:
        pronunciation.reader(self.language)

    def steps(self, tokens: Sequence[Token]) -> Words:
        said = yield from pronunciation.reader(self.language).steps(tokens)
        tone, found = TONES[self.language], list[PhoneWord]()
        for phonemes, token in said:
            if isinstance(token, Pause):
                found += mark(token, tone)
                continue
            letters = "".join(LIGATURES.get(letter, letter) for letter in phonemes)
            phones = tuple(letter for letter in letters if letter in self.symbols)
            if phones:
                found.append(PhoneWord(token.text, phones, (tone,) * len(phones)))
            elif found and not found[-1].is_mark:  # the sound of several words is given to the first of them
                found[-1] = PhoneWord(f"{found[-1].text} {token.text}", found[-1].phones, found[-1].tones)
        return found


@dataclass(frozen=True)
class ChinesePhones:
    """Chinese in syllables, and the English words among it."""

    symbols: Mapping[str, int]
    english: EnglishPhones = EnglishPhones()

    def check(self) -> None:
        pinyin.check()
        self.english.check()

    def steps(self, tokens: Sequence[Token]) -> Words:
        found = list[PhoneWord]()
        for kind, run in groupby(tokens, _kind):
            if kind == LATIN:
                found += yield from self.english.steps(list(run))
            elif kind == HAN:
                found += self._syllables("".join(token.text for token in run if isinstance(token, SpokenWord)))
            else:
                found += [sign for token in run if isinstance(token, Pause) for sign in mark(token, TONES["zh"])]
            yield
        return found

    def _syllables(self, text: str) -> Iterator[PhoneWord]:
        for letter, syllable in pinyin.syllables(text):
            read = pinyin.phones(syllable)
            if read is not None and read[1] in self.symbols:
                initial, final, tone = read
                yield PhoneWord(letter, (initial, final), (TONES["zh"] + tone,) * 2)


@dataclass(frozen=True)
class JapanesePhones:
    """Japanese in moras. Phonemes that are given are passed over: words are said by their kana."""

    def check(self) -> None:
        kana.check()

    def steps(self, tokens: Sequence[Token]) -> Words:
        tone, found = TONES["ja"], list[PhoneWord]()
        for is_mark, run in groupby(tokens, lambda token: isinstance(token, Pause)):
            some = list(run)
            if is_mark:
                found += [sign for token in some if isinstance(token, Pause) for sign in mark(token, tone)]
                continue
            for text, phones in kana.words("".join(token.text for token in some if isinstance(token, SpokenWord))):
                if phones:
                    found.append(PhoneWord(text, phones, (tone,) * len(phones)))
            yield
        return found


def _kind(token: Token) -> str:
    """What says a token: the reader of English says what has Latin letters, or phonemes of its own."""
    if isinstance(token, Pause):
        return MARK
    return LATIN if token.phonemes is not None or token.text[:1].isascii() else HAN


def front_end(language: str, symbols: Mapping[str, int]) -> FrontEnd:
    """The front end for a language of LANGUAGES; `symbols`: those of the checkpoint."""
    match language:
        case "en":
            return EnglishPhones()
        case "zh":
            return ChinesePhones(symbols)
        case "ja":
            return JapanesePhones()
    return IpaPhones(language, symbols)
