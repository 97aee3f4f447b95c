"""Words of a text whose class its writer named: SSML's say-as. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from speechmlx.reading.tokens import Pause, SpokenWord, Token

Words = Callable[[str], list[Token]]
"""The words of a text in one language, with offsets into it."""

LONGEST = 30
"""Digits of a number that is read as one; longer ones are read digit by digit."""
MONTHS = "January February March April May June July August September October November December".split()
ORDINALS = {"es": "º", "pt": "º", "it": "º", "fr": "e", "de": "."}
"""What makes an ordinal of digits."""
NAMES = {
    "-": "dash", "_": "underscore", ".": "dot", ",": "comma", "/": "slash", "\\": "backslash", ":": "colon", "@": "at",
    ";": "semicolon", "!": "exclamation mark", "?": "question mark", "'": "apostrophe", '"': "quote", "#": "hash",
    "*": "asterisk", "&": "and", "+": "plus", "=": "equals", "%": "percent", "$": "dollar", "(": "open parenthesis",
    ")": "close parenthesis", "~": "tilde", "|": "bar", "<": "less than", ">": "greater than", "^": "caret",
}  # fmt: skip
"""In English; other languages leave them out."""
NUMBER = re.compile(r"([-−+]?)\s*(\d[\d,.\s']*)")
NUMBERS = re.compile(r"\d{1,4}")
FRACTION = re.compile(r"\s*(?:(\d{1,9})[\s+]+)?(\d{1,9})\s*/\s*(\d{1,9})\s*")


def said_as(text: str, interpret: str, form: str, words: Words, language: str) -> list[Token]:
    """The words of `text` as the class `interpret` (speechmlx.reading.ssml), with offsets into it.

    A text that is not of the class is read as it is.
    """
    match interpret:
        case "characters":
            return _characters(text, words, language)
        case "digits" | "telephone":
            return _digits(text, words, language)
    written = _written(text, interpret, form, language)
    if written is None:
        return words(text)
    start = len(text) - len(text.lstrip())
    return [replace(token, start=start, end=len(text.rstrip())) for token in words(written)]


def _characters(text: str, words: Words, language: str) -> list[Token]:
    found: list[Token] = []
    for at, character in enumerate(text):
        if character.isalpha():
            found.append(SpokenWord(character.lower(), at, at + 1, is_letter=True))
        elif character.isdecimal():
            found += _moved(words(character), at)
        elif character.isspace():
            _pause(found, at)
        elif character in NAMES and language.startswith("en"):
            found += (SpokenWord(name, at, at + 1) for name in NAMES[character].split())
    return found


def _digits(text: str, words: Words, language: str) -> list[Token]:
    """Digit by digit, with a pause between groups; "+" is said, words stay."""
    found: list[Token] = []
    for part in re.finditer(r"\d|[^\W\d_]+|\+|[^\w+]+", text):
        if part[0].isdecimal() or part[0].isalpha():
            found += _moved(words(part[0]), part.start())
        elif part[0] == "+":
            found += (SpokenWord(name, part.start(), part.end()) for name in ("plus",) if language.startswith("en"))
        else:
            _pause(found, part.start())
    while found and isinstance(found[-1], Pause):
        found.pop()
    return found


def _written(text: str, interpret: str, form: str, language: str) -> str | None:
    """`text` as it is written where nobody can take it for another class; None: as it is."""
    if interpret in ("cardinal", "ordinal"):
        number = NUMBER.fullmatch(text.strip())
        digits = re.sub(r"\D", "", number[2]) if number else ""
        if not number or not 0 < len(digits) <= LONGEST or "." in number[2].rstrip("."):
            return None
        return _ordinal(int(digits), language) if interpret == "ordinal" else number[1] + _grouped(digits, language)
    if interpret == "fraction" and (fraction := FRACTION.fullmatch(text)) and language.startswith("en"):
        return _fraction(fraction)
    if interpret == "date":
        return _date(text, form, language)
    return None


def _grouped(digits: str, language: str) -> str:
    """Of a cardinal in English with commas, so that it is no year."""
    number = int(digits)
    return f"{number:,}" if language.startswith("en") else str(number)


def _ordinal(number: int, language: str) -> str:
    code = language[:2]
    if code != "en":
        return f"{number}{'er' if code == 'fr' and number == 1 else ORDINALS.get(code, '.')}"
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _fraction(m: re.Match[str]) -> str:
    """ "3/20" → "3 20ths": no date and no score."""
    whole, above, below = m.group(1, 2, 3)
    lead = f"{int(whole):,} and " if whole else ""
    many = int(above) != 1
    names = {2: "halves" if many else "half", 4: "quarters" if many else "quarter"}
    name = names.get(int(below)) or _ordinal(int(below), "en") + ("s" if many else "")
    return f"{lead}{int(above):,} {name}"


def _date(text: str, form: str, language: str) -> str | None:
    """A date of numbers, by the order of its parts, in a form that has one meaning."""
    numbers = NUMBERS.findall(text)
    compact = re.fullmatch(r"\s*(\d{4})(\d\d)(\d\d)\s*", text)
    if compact and form in ("", "ymd", "yyyymmdd"):
        numbers, form = list(compact.groups()), "ymd"
    order = re.sub(r"(.)\1+", r"\1", re.sub(r"[^dmy]", "", form))
    if not order or len(numbers) != len(order) or len(set(order)) != len(order) or re.search(r"[^\W\d_]", text):
        return None
    parts = dict(zip(order, map(int, numbers), strict=True))
    year, month, day = parts.get("y"), parts.get("m"), parts.get("d")
    if (month is not None and not 1 <= month <= 12) or (day is not None and not 1 <= day <= 31):
        return None
    return _dated(year, month, day, language)


def _dated(year: int | None, month: int | None, day: int | None, language: str) -> str | None:
    if year is not None and year < 100:
        year += 2000 if year < 50 else 1900
    if year and month and day:
        return f"{year:04}-{month:02}-{day:02}"
    if not language.startswith("en"):
        return None
    if month is None:
        return _ordinal(day, language) if day else str(year)
    name = MONTHS[month - 1]
    return f"{name} {day}" if day else f"{name} {year}" if year else name


def _moved(tokens: Sequence[Token], by: int) -> list[Token]:
    return [replace(token, start=token.start + by, end=token.end + by) for token in tokens]


def _pause(found: list[Token], at: int) -> None:
    if found and not isinstance(found[-1], Pause):
        found.append(Pause(",", at, at + 1))
