"""Graphemes to phonemes: for each language a reader, text → the phonemes Kokoro was trained on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache, partial

from speechmlx import languages
from speechmlx.engines.kokoro.g2p import east_asian, english, espeak, spelling
from speechmlx.errors import Unsupported

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
    """A client's language → one of LANGUAGES: "EN_us" → "en-us", "French" → "fr", "pt-BR" → "pt".

    Raises Unsupported naming the languages there are.
    """
    found = languages.match(code, LANGUAGES)
    if found is None:
        raise languages.refusal(code, LANGUAGES, "Kokoro")
    return found


@cache
def reader(name: str) -> Reader:
    """The reader of one of LANGUAGES, loaded once.

    Raises Unsupported naming what to install where a language needs more than this package brings.
    """
    match name:
        case "en" | "en-us" | "en-gb":
            british = name == "en-gb"
            return english.load(british, _speller(british))
        case "ja" | "zh":
            try:
                return east_asian.japanese() if name == "ja" else east_asian.chinese()
            except ImportError as error:
                raise _missing(name, name) from error
    if not espeak.available():
        raise _missing(name, "espeak")
    return partial(espeak.read, language=name)


def steps(read: Reader, text: str) -> Generator[None, None, str]:
    """What `read` makes of `text`, in steps where a reader knows how to take them."""
    return (yield from read.steps(text)) if isinstance(read, english.English) else read(text)


def _missing(name: str, extra: str) -> Unsupported:
    also = ", or put the program espeak-ng on the PATH" if extra == "espeak" else ""
    return Unsupported(f"{LANGUAGES[name]} needs an extra: pip install 'speechmlx[{extra}]'{also}")


def _speller(british: bool) -> Reader:
    """What says words no dictionary knows: espeak-ng where it is, else the model of spelling.py, read when needed."""
    if espeak.available():
        return lambda word: espeak.english_word(word, british)
    return lambda word: _model().british(word) if british else _model()(word)


@cache
def _model() -> spelling.Spelling:
    return spelling.load()
