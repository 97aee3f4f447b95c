"""Amounts: the shapes of numbers that other classes share (grouped, decimal, fraction, mixed), and their words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speechmlx.reading.english.grammar import TokenContext
from speechmlx.reading.english.numbers import cardinal, number, ordinal

GROUPED = (
    r"(?:\d{1,3}(?:,\d{3}){1,12}|\d{1,3}(?:\.\d{3}){2,9}(?!\.)|\d{1,2}(?:,\d\d){1,8},\d{3}|\d{1,3}(?:'\d{3}){1,12}"
    r"|\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}){2,12}|\d{1,3}[ \u00a0\u2009\u202f]\d?00|\d{1,3}[\u00a0\u2009\u202f]\d{3})"
    r"(?![\d]|,\d)"
)
NUMBER = rf"(?:{GROUPED}(?:\.\d{{1,60}})?|\d{{1,60}}\.\d{{1,60}}|\d{{1,60}}|\.\d{{1,60}})"
VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5),
    "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
    "⅑": (1, 9), "⅒": (1, 10),
}  # fmt: skip
SIGNS = "".join(VULGAR)
SLASHED = r"\d{1,4}[/⁄]\d{1,4}(?![\d/⁄]|\.\d)"
FRACTION = rf"(?:{SLASHED}|[{SIGNS}])"
MIXED = rf"(?:\d{{1,6}}(?: ?[{SIGNS}]|[ -]{SLASHED}|-[{SIGNS}]))"
AMOUNT = rf"(?:{MIXED}|{FRACTION}|{NUMBER})"
DASH = r"(?: ?[-–—−] ?|\.\.\.?)"
SIGN = r"(?:(?<![\w.,)%°€$£])[-−+])"
PARTS = re.compile(rf"([-−+]?)(?:(\d{{1,6}})(?: ?(?=[{SIGNS}])|[ -]))?(?:(\d{{1,4}})[/⁄](\d{{1,4}})|([{SIGNS}]))")
PLAIN_DENOMINATORS = frozenset((12, 16, 20, 32, 50, 64, 100, 1000))


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it is said, with what its unit needs to know."""

    words: str
    single: bool
    """The unit is in the singular: 1, or a fraction below one."""
    fraction: bool = False
    whole: int = 0
    """Of a whole number below 10**9; else 0."""


def amount(text: str, british: bool = False) -> Amount:
    """The words of a match of AMOUNT, with a sign or without: "1 1/2" → "one and a half"."""
    found = PARTS.fullmatch(text)
    if not found:
        text = text.replace(".", "") if text.count(".") > 1 else text
        plain = re.sub(r"[^\d.]", "", text)
        whole = int(plain) if plain.isdecimal() and len(plain) < 10 else 0
        return Amount(number(text, british), plain == "1", whole=whole)
    top, bottom = VULGAR[found[5]] if found[5] else (int(found[3]), int(found[4]))
    sign = {"": "", "+": "plus "}.get(found[1], "minus ")
    if found[2]:
        part = fraction(top, bottom, british)
        part = f"a {part[4:]}" if part in ("one half", "one quarter") else part
        return Amount(f"{sign}{cardinal(int(found[2]), british)} and {part}", False, True)
    return Amount(sign + fraction(top, bottom, british), top < bottom, True)


def fraction(top: int, bottom: int, british: bool = False) -> str:
    """(3, 4) → "three quarters", (15, 37) → "fifteen over thirty seven"."""
    if bottom == 2:
        return "one half" if top == 1 else f"{cardinal(top, british)} halves"
    if bottom == 4:
        return f"{cardinal(top, british)} quarter{'s' if top != 1 else ''}"
    if 2 < bottom <= 10 or bottom in (12, 16, 32, 64) or (bottom in PLAIN_DENOMINATORS and top < 10):
        return f"{cardinal(top, british)} {ordinal(bottom, british)}{'s' if top != 1 else ''}"
    return f"{cardinal(top, british)} over {cardinal(bottom, british)}"


def after_article(number: Amount, place: TokenContext) -> str:
    """The words of a fraction without its "one" where "a" stands before it: "a 1/2 cup"."""
    if number.fraction and place.word_before().lower() in ("a", "an"):
        return number.words.removeprefix("one ")
    return number.words


def is_fraction(text: str) -> bool:
    return PARTS.fullmatch(text) is not None
