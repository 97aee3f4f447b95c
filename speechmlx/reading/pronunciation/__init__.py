"""Grapheme-to-phoneme conversion: one reader per language, which maps words to Kokoro's phonemes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from typing import ClassVar, Protocol

from speechmlx import languages
from speechmlx.errors import Unsupported
from speechmlx.optional_packages import way
from speechmlx.reading.pronunciation import east_asian, english, espeak, spelling
from speechmlx.reading.pronunciation.runs import Runs
from speechmlx.reading.pronunciation.said import PhonemeLine, Said, joined, laid_out
from speechmlx.reading.tokens import Token

__all__ = ["LANGUAGES", "PhonemeLine", "Reader", "Said", "joined", "laid_out", "language", "reader"]

LANGUAGES = {
    "en": "English",
    "en-us": "American English",
    "en-gb": "British English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "pt": "Brazilian Portuguese",
    "zh": "Chinese",
}


class Reader(Protocol):
    """Converts words of one language to phonemes."""

    in_runs: ClassVar[bool]
    """Whether the first of several words may have the phonemes of all."""

    def phonemes(self, tokens: Sequence[Token]) -> Said:
        """The phonemes of each of `tokens`; a mark is its own. `joined` makes one line of them.

        Raises BadRequest for given phonemes that the voices cannot say.
        """
        ...

    def steps(self, tokens: Sequence[Token]) -> Generator[None, None, Said]:
        """As `phonemes`, in steps of a few milliseconds."""
        ...


def language(code: str) -> str:
    """Map the language of a request to a key of LANGUAGES: "EN_us" → "en-us", "French" → "fr", "pt-BR" → "pt".

    Raises Unsupported, which lists the languages.
    """
    name = languages.match(code, LANGUAGES)
    if name is None:
        raise languages.refusal(code, LANGUAGES, "Kokoro")
    return name


@cache
def reader(name: str) -> Reader:
    """The reader of a key of LANGUAGES, loaded once.

    Raises Unsupported, which names the missing extra, if the language needs a package that is not installed.
    """
    match name:
        case "en" | "en-us" | "en-gb":
            british = name == "en-gb"
            return english.load(british, _fallback(british))
        case "ja" | "zh":
            try:
                return Runs(east_asian.japanese() if name == "ja" else east_asian.chinese(), blanks=False)
            except ImportError as error:
                raise _missing(name, name) from error
    if not espeak.available():
        raise _missing(name, "espeak")
    return Runs(lambda text: espeak.read(text, name), blanks=True)


def _missing(name: str, extra: str) -> Unsupported:
    what = "espeak-ng" if extra == "espeak" else "packages that are not installed"
    return Unsupported(f"{LANGUAGES[name]} needs {what}: {way(extra)}")


def _fallback(british: bool) -> Callable[[str], str]:
    """The reader of words that are not in a dictionary: espeak-ng if available, else the model of spelling.py."""
    if espeak.available():
        return lambda word: espeak.english_word(word, british)
    return lambda word: _model().british(word) if british else _model()(word)


@cache
def _model() -> spelling.Spelling:
    return spelling.load()
