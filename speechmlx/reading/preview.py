"""How a text would be read, without a voice: its words with their places in the text, and their phonemes."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx import languages
from speechmlx.errors import Unsupported
from speechmlx.reading import pronunciation
from speechmlx.reading.lexicon import user_lexicon
from speechmlx.reading.reading import read, spoken
from speechmlx.reading.tokens import SpokenWord, Token
from speechmlx.types import Pronunciation

DEFAULT = "en-us"
"""The language of a text without one."""


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word as it is said for text[start:end] of the input. `phonemes`: None in a language without a reader."""

    text: str
    start: int
    end: int
    phonemes: str | None


@dataclass(frozen=True, slots=True)
class ReadingPreview:
    """How a text is read: each word; all of them in small letters without marks; the phonemes of all with pauses."""

    words: tuple[ReadWord, ...]
    text: str
    phonemes: str | None


def words_of(text: str, language: str | None, entries: tuple[Pronunciation, ...] = ()) -> str:
    """The words of `text` in small letters without marks, in a language (None: American English).

    `entries` are those of a lexicon. Raises BadRequest for SSML that is wrong.
    """
    return spoken(_tokens(text, language, entries))


def phonemes_of(text: str, language: str | None, entries: tuple[Pronunciation, ...] = ()) -> str:
    """The phonemes of `text`, as `words_of`. Raises Unsupported too, for a language without a reader."""
    tokens = _tokens(text, language, entries)
    return pronunciation.joined(_reader(language).phonemes(tokens))


def preview(text: str, language: str | None, entries: tuple[Pronunciation, ...] = ()) -> ReadingPreview:
    """The words of `text` with their places and, where the language has a reader, their phonemes.

    Raises BadRequest for SSML that is wrong and for given phonemes that no voice can say.
    """
    tokens = _tokens(text, language, entries)
    try:
        said = _reader(language).phonemes(tokens)
    except Unsupported:
        words = tuple(ReadWord(it.text, it.start, it.end, None) for it in tokens if isinstance(it, SpokenWord))
        return ReadingPreview(words, spoken(tokens), None)
    words = tuple(ReadWord(it.text, it.start, it.end, phonemes) for phonemes, it in said if isinstance(it, SpokenWord))
    return ReadingPreview(words, spoken(tokens), pronunciation.joined(said))


def _tokens(text: str, language: str | None, entries: tuple[Pronunciation, ...]) -> list[Token]:
    tag = _tag(language)
    return read(text, tag, user_lexicon(entries, tag))


def _reader(language: str | None) -> pronunciation.Reader:
    return pronunciation.reader(pronunciation.language(_tag(language)))


def _tag(language: str | None) -> str:
    return DEFAULT if language is None else languages.tag(language)
