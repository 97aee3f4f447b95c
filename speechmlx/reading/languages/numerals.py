"""Number words of a language by CLDR's rules (unicode-rbnf), and the numerals that people write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from unicode_rbnf import RbnfEngine

MAX_DIGITS = 15
"""A longer run of digits is read digit by digit."""
BLANK = " \u00a0\u2009\u202f"
DASH = "-‐‑‒–—−"


@lru_cache(maxsize=32)
def _engine(code: str) -> RbnfEngine | None:
    try:
        return RbnfEngine.for_language(code)
    except ValueError:
        return None


def known(code: str) -> bool:
    """Whether there are number words of the language `code`."""
    return code.isascii() and code.isalpha() and code.islower() and len(code) <= 3 and _engine(code) is not None


@lru_cache(maxsize=4096)
def words(number: int, code: str, ruleset: str = "") -> str:
    """The words of `number` by a ruleset of CLDR, such as "spellout-cardinal-feminine"; by the language's own if "".

    Raises LookupError if the language has no such words.
    """
    engine = _engine(code)
    if engine is None:
        raise LookupError(code)
    found = engine.format_number(number, ruleset_names=[ruleset] if ruleset else None)
    return found.text.replace("\u200b", "")


def digits(text: str) -> str:
    """`text` with every digit of any script as an ASCII digit, and nothing else: "२५ १" → "251"."""
    return "".join(str(int(c)) for c in text if c.isdecimal())


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as it is written."""

    whole: str
    """ASCII digits."""
    fraction: str = ""
    mark: str = ""
    """The mark before the fraction, "," or "."."""

    @property
    def is_one(self) -> bool:
        return self.whole == "1" and not self.fraction


def pattern(decimal: str) -> str:
    """What a numeral looks like where the decimal mark is `decimal`: groups of thousands, then decimals."""
    other = "." if decimal == "," else ","
    end = r"(?![\d])"
    groups = [rf"\d{{1,3}}(?:[{mark}]\d{{3}}){{1,6}}{end}(?:[{decimal}]\d{{1,20}})?" for mark in (other, BLANK, "'’")]
    foreign = rf"\d{{1,3}}(?:[{decimal}]\d{{3}}){{2,6}}{end}|\d{{1,3}}(?:[{decimal}]\d{{3}})+[{other}]\d{{1,2}}{end}"
    indian = rf"\d{{1,2}}(?:,\d\d){{1,6}},\d{{3}}{end}(?:\.\d{{1,20}})?"
    return rf"(?>{indian}|{'|'.join(groups)}|{foreign}|\d{{1,80}}(?:[.,]\d{{1,20}})?)"


def parse(text: str, decimal: str) -> Numeral:
    """The numeral of a text that `pattern(decimal)` matches."""
    marks = re.findall(r"[.,]", text)
    last = max(text.rfind("."), text.rfind(","))
    whole, fraction = digits(text[:last]), digits(text[last + 1 :])
    if not marks:
        return Numeral(digits(text))
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:
        return Numeral(whole, fraction, marks[-1])
    grouped = len(marks) > 1 or (marks[-1] != decimal and len(fraction) == 3 and len(whole) < 4 and whole[0] != "0")
    if grouped and not re.search(rf"[{BLANK}'’]", text):
        return Numeral(digits(text))
    return Numeral(whole, fraction, marks[-1])


ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})$")
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman(text: str) -> int | None:
    """The value of a Roman numeral in capitals; None if it is not one."""
    if not text or not ROMAN.match(text):
        return None
    values = [_ROMAN[c] for c in text]
    return sum(-v if v < max(values[i:]) else v for i, v in enumerate(values))
