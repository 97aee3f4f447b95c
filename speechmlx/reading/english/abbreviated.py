"""Abbreviations, by the shared table and what stands around; initials and other letters with full stops."""

from __future__ import annotations

import re

from speechmlx.reading.abbreviations import Abbreviation, find
from speechmlx.reading.english.calendar import DAYS, MONTHS
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule

NAME = re.compile(r"\s+(?:(?:de|van|von|la|le|der|den)\s)?[A-Z][\w'’.-]*")
NUMBER = re.compile(r"\s?[#№]?\d|\s(?:[IVXLC]{2,6}|[VX])\b|\s[A-Z]\d")
SENTENCE = re.compile(r"\s+[\"“'(]?[A-Z]")
LATER = re.compile(r"\s*(?:$|[\n\"”’')\]]*$)")
SENIOR = re.compile(
    r"\s(?:[A-Z]{2}|VP|Vice|Engineer|Manager|Director|Analyst|Editor|Developer|Partner|Associate|Designer|Scientist"
    r"|Officer)"
)
STREETS = frozenset("avenue road lane court place square terrace crescent trail".split())
ALSO_WORDS = frozenset(
    "rev no in art op ed v l p c ca co al fig sec max min mar sun sat wed mon sen rep gov gen col pub trans ref dir pt "
    "br fr sig m ext pres hon ch est temp mo av pl ct sq cir ver st ft mt ep para cont del ter det dept resp exec "
    "lb".split()
)
"""Words, or too short: no abbreviation without a full stop, unless they stand before what they must."""
CALENDAR = {*MONTHS, *DAYS}
"""Months and days are dates, which are not read here."""
CAPITALISED = frozenset(
    "st mt ft dr jr sr lt sgt capt col gen rev hon prof gov sen rep pres adm maj cpl pvt det".split()
)


def _abbreviation(m: re.Match[str], place: TokenContext) -> str | None:
    word, stopped = m["word"], m[0].endswith(".")
    found = find(word)
    if found is None or not found.words or found.words in CALENDAR or (found.words in STREETS and not stopped):
        return None
    if (
        word.isupper()
        and len(word) > 1
        and "." not in word
        and word.lower() not in ("dr", "mr", "mrs", "ms", "st", "vs", "aka")
    ):
        return None
    after = place.after(m.end())
    if after[:1].isdecimal() and found.before != "number":
        return None
    said = _words(found, word, stopped, after, place)
    if said is None:
        return None
    if stopped and (
        LATER.match(after) or (SENTENCE.match(after) and found.ends and said != found.words * (found.before == "name"))
    ):
        return f"{said} ."
    return said


def _special(lower: str, stopped: bool, after: str, place: TokenContext) -> str | None:
    """A reading that the words beside give: "Sr. Mary", "Sec. Clinton", "9th Cir."; None for no such reading."""
    if lower == "sr" and NAME.match(after) and not place.word_before()[:1].isupper():
        return "senior" if SENIOR.match(after) else "sister"
    if lower == "sec" and stopped and NAME.match(after):
        return "secretary"
    if lower == "cir" and re.search(r"\d(?:st|nd|rd|th) $", place.before()):
        return "circuit"
    if lower == "ste" and re.match(r"\s[A-Z][a-z]", after):
        return "saint"
    return "directed" if lower == "dir" and after.startswith(" by ") else None


def _words(found: Abbreviation, word: str, stopped: bool, after: str, place: TokenContext) -> str | None:
    lower = word.lower()
    if special := _special(lower, stopped, after, place):
        return special
    if (lower in ("v", "vv") and word.isupper()) or (lower == "gen" and re.match(r"\s(?:[XYZ]\b|Alpha\b)", after)):
        return None
    if lower in CAPITALISED and word.islower() and not stopped:
        return None
    if found.before == "name":
        follows = NAME.match(after) is not None and not (stopped and lower in ("jr", "sr"))
    elif found.before == "number":
        follows = NUMBER.match(after) is not None
    else:
        follows = True
    if follows and (
        stopped or not found.stop or (found.before == "number" and lower in ("rm", "fl", "sect", "vols", "pgs"))
    ):
        return _counted(found.words, lower, place)
    if found.other and (stopped or not found.stop):
        return (
            found.other
            if stopped or found.before != "name" or (word[0].isupper() and place.word_before()[:1].isupper())
            else None
        )
    if stopped and found.before and len(word) > 1 and (lower not in ALSO_WORDS or re.match(r"\s?[&,]|\sand\b", after)):
        return found.words
    return None


def _counted(words: str, lower: str, place: TokenContext) -> str | None:
    """An abbreviation of a unit needs no number here: "tbsp" alone is said in the singular."""
    if lower in ("tbsp", "tsp", "tbs", "oz", "gal", "qt", "in", "mo", "mos") and lower != "tbsp":
        return None if lower == "in" else words.removesuffix("s")
    return words


def _latin(m: re.Match[str], place: TokenContext) -> str:
    return "and others"


def _initials(m: re.Match[str], place: TokenContext) -> str:
    """ "U.S." → "u s"; the last full stop ends the sentence where nothing or a capital follows one of two letters."""
    after = place.after(m.end())
    return f"{letters(m[0])} ." if m[0].endswith(".") and LATER.match(after) else _possessive(m[0])


def _possessive(text: str) -> str:
    stem, mark, _ = re.sub("’", "'", text).partition("'")
    return letters(stem) + ("'s" if mark else "")


def _initial(m: re.Match[str], place: TokenContext) -> str | None:
    """ "J. K. Rowling": one letter before a name; no numeral of a heading."""
    if place.at == 0 and m[0][0] in "VX" and len(place.text) < 80 and place.text.rstrip()[-1] not in ".!?":
        return None
    return letters(m[0])


def _with(m: re.Match[str], place: TokenContext) -> str:
    return {
        "w": "with",
        "w/o": "without",
        "w/in": "within",
        "w/out": "without",
        "b/c": "because",
        "n/a": ".n .a",
        "w/e": "weekend",
        "h/t": "hat tip",
        "y/o": "year old",
        "y/y": "year over year",
        "q/q": "quarter over quarter",
        "m/m": "month over month",
    }[m[0].lower().rstrip("/")]


def _number_sign(m: re.Match[str], place: TokenContext) -> str:
    return "number"


def _and_or(m: re.Match[str], place: TokenContext) -> str:
    return "and or"


def _plural_bracket(m: re.Match[str], place: TokenContext) -> str:
    """ "file(s)" → "files"."""
    return f"~{m[1]}s"


RULES: list[Rule] = [
    rule(
        "abbreviation",
        "a",
        r"(?<![\w])(?P<word>[A-Za-z]{1,6}(?:\.[A-Za-z]{1,3}){1,3}|[A-Za-z]{1,7}(?:'[a-z])?)(?![\w'’])(?:\.(?=\d)|\.?"
        r"(?!\w))",
        _abbreviation,
    ),
    rule("abbreviation", "a", r"(?<=[+-])Del(?!\w)", lambda m, place: "delete"),
    rule("abbreviation", "a", r"(?<!\w)et\sal(?!\w)\.?", _latin),
    rule("letters", "a", r"(?<!\w)(?:[A-Za-z]\.){2,8}(?:[A-Za-z](?![\w]))?(?:['’]s)?", _initials),
    rule("letters", "a", r"(?<!\w)[A-Z]\.(?=\s?[A-Z][\w.])", _initial),
    rule(
        "abbreviation",
        "a",
        r"(?<![\w/])(?:y/o|y/y|q/q|m/m|[wW]/in|[wW]/out|[wW]/o|[bB]/c|[nN]/[aA]|[wW]/e|[hH]/[tT]|[wW]/)(?![\w/])",
        _with,
    ),
    rule("abbreviation", "a", r"(?<!\w)(?:and|AND|And)/(?:or|OR)(?!\w)", _and_or),
    rule("abbreviation", "a", r"(?<!\w)[Nn][º°]\.?(?=\s?\d)", _number_sign),
    rule("abbreviation", "#№", r"[#№]\s?(?=[A-Z]{0,3}-?\d)", _number_sign),
    rule("word", "a", r"(?<!\w)([A-Za-z]{2,30})\((?:s|es)\)(?!\w)", _plural_bracket),
]
