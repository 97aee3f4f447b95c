"""Grapheme-to-phoneme conversion: one reader per language, which maps text to Kokoro's phonemes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache, partial

from speechmlx import languages
from speechmlx.errors import Unsupported
from speechmlx.reading.pronunciation import east_asian, english, espeak, spelling

Reader = Callable[[str], str]

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
                return east_asian.japanese() if name == "ja" else east_asian.chinese()
            except ImportError as error:
                raise _missing(name, name) from error
    if not espeak.available():
        raise _missing(name, "espeak")
    return partial(espeak.read, language=name)


def steps(read: Reader, text: str) -> Generator[None, None, str]:
    """Convert `text` to phonemes, in steps if `read` supports steps. Returns the phonemes."""
    return (yield from read.steps(text)) if isinstance(read, english.English) else read(text)


def _missing(name: str, extra: str) -> Unsupported:
    also = ", or put the program espeak-ng on the PATH" if extra == "espeak" else ""
    return Unsupported(f"{LANGUAGES[name]} needs an extra: pip install 'speechmlx[{extra}]'{also}")


def _fallback(british: bool) -> Reader:
    """The reader of words that are not in a dictionary: espeak-ng if available, else the model of spelling.py."""
    if espeak.available():
        return lambda word: espeak.english_word(word, british)
    return lambda word: _model().british(word) if british else _model()(word)


@cache
def _model() -> spelling.Spelling:
    return spelling.load()
