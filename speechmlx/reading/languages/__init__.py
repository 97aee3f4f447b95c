"""Languages besides English: one sentence → its words, by tables of each language over CLDR's number words.

A language is a class derived from `Language` (tables, and functions where languages differ); the recognisers of
`amounts`, `moments` and `written` are shared. Chinese and Japanese, which have no blanks, have their own.
"""

from __future__ import annotations

from functools import cache, lru_cache

from speechmlx.reading.languages import amounts, chinese, fractions, japanese, moments, numerals, written
from speechmlx.reading.languages.french import French
from speechmlx.reading.languages.german import German
from speechmlx.reading.languages.grammar import Recognisers, by_first, scan
from speechmlx.reading.languages.hindi import Hindi
from speechmlx.reading.languages.italian import Italian
from speechmlx.reading.languages.language import Language
from speechmlx.reading.languages.other import Other, Silent
from speechmlx.reading.languages.portuguese import Portuguese
from speechmlx.reading.languages.spanish import Spanish
from speechmlx.reading.languages.speech import tokens
from speechmlx.reading.tokens import Token

LANGUAGES: dict[str, type[Language]] = {
    each.code: each for each in (Spanish, French, Italian, Portuguese, German, Hindi)
}
EAST_ASIAN = {"zh": chinese.rules, "ja": japanese.rules}


def words(text: str, language: str) -> list[Token]:
    """The words of one sentence in the language of a code such as "es", "pt-br" or "zh", with offsets into `text`.

    Unicode is folded and markup is gone already. In a language that has no tables here, numbers are read by CLDR's
    number words, or left to the voice digit by digit.
    """
    code = language.lower().partition("-")[0].partition("_")[0]
    if code in EAST_ASIAN:
        return tokens(scan(text, None, _east_asian(code)))
    spoken, rules = _grammar(code)
    return tokens(scan(text, spoken, rules))


@cache
def _east_asian(code: str) -> Recognisers[None]:
    return by_first(EAST_ASIAN[code]())


@lru_cache(maxsize=32)
def _grammar(code: str) -> tuple[Language, Recognisers[Language]]:
    if code in LANGUAGES:
        spoken: Language = LANGUAGES[code]()
    else:
        spoken = Other(code) if numerals.known(code) else Silent()
    families = [*written.rules(spoken), *fractions.rules(spoken), *amounts.rules(spoken)]
    if spoken.months:
        families = [*moments.rules(spoken), *families]
    return spoken, by_first(families)
