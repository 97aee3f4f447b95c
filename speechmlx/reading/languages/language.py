"""A language that is written with numerals: its tables, and what differs from language to language as functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from speechmlx.reading.languages import numerals
from speechmlx.reading.languages.numerals import MAX_DIGITS, Numeral


@dataclass(frozen=True, slots=True)
class Noun:
    """What is counted: a unit, a currency, a magnitude."""

    one: str
    many: str
    gender: str = "m"

    def of(self, number: Numeral) -> str:
        return self.one if number.is_one else self.many


def nouns(table: str) -> dict[str, Noun]:
    """Nouns of a table "key=one/many/gender, ...". Without many, it equals one; without gender it is "m"."""
    found = {}
    for row in table.replace("\n", " ").split(", "):
        key, _, rest = row.strip().rpartition("=") if row.strip()[:1] == "=" else row.strip().partition("=")
        one, many, gender = (*rest.split("/"), "", "")[:3]
        found[key] = Noun(one, many or one, gender or "m")
    return found


def pairs(table: str) -> dict[str, str]:
    """A table "key=words, ..."."""
    return {key: noun.one for key, noun in nouns(table).items()}


def listed(words: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(words.split())


def numbered(table: str) -> dict[str, int]:
    """A table "key=number, ..."."""
    return {key: int(value) for key, value in pairs(table).items()}


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day."""

    hour: int
    minute: int
    second: int | None
    mark: str
    """What stands after it, such as "h", "Uhr" or "p. m."; "" for nothing."""


class Language:
    """The words of numbers alone: every other language derives from it."""

    code: ClassVar[str] = ""
    decimal: ClassVar[str] = "."
    comma: ClassVar[str] = ""
    """The word of the mark ","; "" where it is not known, and decimals are left to the voice."""
    point: ClassVar[str] = ""
    paired: ClassVar[bool] = False
    """Two decimals are said as one number: "tres coma catorce"."""
    rulesets: ClassVar[Mapping[str, str]] = {}
    """CLDR's ruleset of each gender."""
    zero: ClassVar[str] = ""
    minus: ClassVar[str] = ""
    to: ClassVar[str] = ""
    over: ClassVar[str] = ""
    per: ClassVar[str] = ""
    versus: ClassVar[str] = ""
    """Between the numbers of a score; "" where it is `to`."""
    dot: ClassVar[str] = ""
    """In an address of the web; "" where it is `point`."""
    of: ClassVar[str] = ""
    """Between a magnitude and its currency: "millones de euros"."""
    months: ClassVar[tuple[str, ...]] = ()
    short_months: ClassVar[Mapping[str, int]] = {}
    first: ClassVar[str] = ""
    """The first of a month, where it is written as an ordinal and said otherwise than by `day`."""
    half: ClassVar[Noun] = Noun("", "")
    """The half of "two and a half", before a masculine and before a feminine noun."""
    agrees_over_thousands: ClassVar[bool] = False
    """Whether the number of "2 mil pessoas" takes the gender of what is counted."""
    units: ClassVar[Mapping[str, Noun]] = {}
    currencies: ClassVar[Mapping[str, Noun]] = {}
    cents: ClassVar[Mapping[str, Noun]] = {}
    magnitudes: ClassVar[Mapping[str, Noun]] = {}
    abbreviations: ClassVar[Mapping[str, str]] = {}
    signs: ClassVar[Mapping[str, str]] = {}
    millions: ClassVar[frozenset[str]] = frozenset()
    """The ends of numbers that take `of` before what they count."""
    centuries: ClassVar[Mapping[str, str]] = {}
    """Abbreviations of "century" that are such only before a Roman numeral: "s." for "siglo"."""
    articles: ClassVar[frozenset[str]] = frozenset()
    """The words after which a Roman numeral before a noun is an ordinal: "la II guerra"."""
    rated: ClassVar[frozenset[str]] = frozenset()
    """What a score is given in: "4/5 estrellas" is no fraction."""
    duration_and: ClassVar[str] = ""
    """Between the hours and the minutes of a duration."""
    weekdays: ClassVar[Mapping[str, str]] = {}
    month_of: ClassVar[str] = " "
    """Between a month and its year."""
    ranks: ClassVar[frozenset[str]] = frozenset()
    """Nouns before which "3°" is an ordinal and no angle."""
    dotted_dates: ClassVar[bool] = False
    """Whether "3.10." is a date."""
    labels: ClassVar[frozenset[str]] = frozenset()
    """Nouns that a number names rather than counts: "página 1"."""
    not_nouns: ClassVar[frozenset[str]] = frozenset()
    names: ClassVar[frozenset[str]] = frozenset()
    """Capitals that are said as a word although their letters would be spelled, or the other way: see `spelled`."""
    spelled: ClassVar[frozenset[str]] = frozenset()
    endings: ClassVar[Mapping[str, str]] = {}
    """Abbreviated ends of words: "str." for "straße"."""
    spoken_domains: ClassVar[frozenset[str]] = frozenset()
    """Top-level domains of two letters that are said as a word."""
    phone: ClassVar[str] = ""
    """A pattern of the telephone numbers that have no + and no 0 before them."""
    hours: ClassVar[str] = ""
    """A pattern of what may stand between or after hours and minutes: "h", "Uhr"."""

    def cardinal(self, number: int, gender: str = "") -> str:
        return numerals.words(number, self.code, self.rulesets.get(gender, self.rulesets.get("", "")))

    def whole(self, text: str, gender: str = "") -> str:
        """The words of a run of ASCII digits; digit by digit if it is long or begins with 0."""
        if len(text) > MAX_DIGITS or (len(text) > 1 and text[0] == "0"):
            return self.digits(text)
        return self.cardinal(int(text), gender)

    def digits(self, text: str) -> str:
        return " ".join(self.cardinal(int(c)) for c in text)

    def number(self, number: Numeral, gender: str = "") -> str:
        """The words of a number, before a noun of the gender "m" or "f"; "" for no noun."""
        if not number.fraction:
            return self.whole(number.whole, gender)
        mark = self.comma if number.mark == "," else self.point
        return f"{self.whole(number.whole, self.before_mark(number))} {mark} {self.decimals(number.fraction)}"

    def before_mark(self, number: Numeral) -> str:
        """The gender of the whole part of a number that has decimals."""
        return ""

    def decimals(self, text: str) -> str:
        if self.paired and len(text) == 2 and text[0] != "0":
            return self.cardinal(int(text))
        if self.paired and len(text) == 2 and text != "00":
            return self.digits(text)
        return self.digits(text)

    def gender(self, noun: str, number: int) -> str:
        """The gender of the noun that a number counts; "" where it does not matter or is not known."""
        return ""

    def counted(self, number: Numeral, noun: str, before: str = "") -> str:
        """The words of a number between two words, each of any kind, "" for none; `before` in lower case."""
        counts = noun and noun.lower() not in self.not_nouns
        return self.number(number, self.gender(noun, int(number.whole)) if counts else "")

    def quantity(self, number: Numeral, noun: Noun) -> str:
        return self.number(number, noun.gender)

    def year(self, number: int) -> str:
        return self.cardinal(number)

    def day(self, day: int) -> str:
        return self.cardinal(day)

    def date(self, day: int, month: int, year: int | None, before: str) -> str:
        """The words of a date; `before` is the word before it, in lower case."""
        return f"{self.day(day)} {self.months[month - 1]}" + (f" {self.year(year)}" if year is not None else "")

    def time(self, clock: TimeOfDay) -> str:
        minute = f" {self.minute(clock.minute)}" if clock.minute else ""
        return f"{self.cardinal(clock.hour)}{minute}"

    def minute(self, minute: int) -> str:
        return self.digits(f"{minute:02}") if minute < 10 else self.cardinal(minute)

    def range_of_times(self, first: str, last: str) -> str:
        return f"{first} {self.to} {last}"

    def money(self, number: Numeral, currency: str) -> str:
        """The words of an amount of a currency, by its ISO code."""
        noun = self.currencies[currency]
        cents = number.fraction + "0" * (len(number.fraction) == 1)
        if not cents or len(cents) != 2 or not int(cents) or currency not in self.cents:
            plain = Numeral(number.whole) if len(cents) == 2 and not int(cents) else number
            return self.phrase(self.quantity(plain, noun), noun.of(plain))
        return self.with_cents(Numeral(number.whole), noun, Numeral(str(int(cents))), self.cents[currency])

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.quantity(number, noun)} {noun.of(number)} {self.quantity(cents, cent)} {cent.of(cents)}"

    def joined(self, magnitude: str, currency: str) -> str:
        """A magnitude and its currency: "millones de euros"."""
        return f"{magnitude} {self.of} {currency}" if self.of else f"{magnitude} {currency}"

    def phrase(self, number: str, noun: str) -> str:
        """A number and what it counts: "un millón", "euros" → "un millón de euros"."""
        last = number.rpartition(" ")[2].lower()
        return self.joined(number, noun) if last in self.millions else f"{number} {noun}"

    def mixed(self, whole: int, number: int, parts: int, noun: str) -> str | None:
        """The words of a whole number and a fraction before the word `noun`; None if they are not said so."""
        gender = self.gender(noun, whole) if noun and noun.lower() not in self.not_nouns else ""
        said = self.fraction(number, parts, "")
        if (number, parts) == (1, 2) and self.half.one:
            said = self.half.many if gender == "f" else self.half.one
        return said and f"{self.cardinal(whole, gender)} {self.signs['&']} {said}"

    def part_of(self, fraction: str, noun: str) -> str:
        """A fraction and what it is of, which follows without a word between: "3/4 taza"."""
        return f"{fraction} {self.of} {noun}" if self.of else f"{fraction} {noun}"

    def listed(self, number: int, before: str, after: str) -> str | None:
        """The words of a number with a full stop before a word in lower case, where it orders reasons."""
        return None

    def percent(self, number: str) -> str:
        return f"{number} {self.signs['%']}"

    def rate(self, noun: str, unit: Noun) -> str:
        return f"{noun} {self.per} {unit.one}"

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        """The words of a number with a suffix that makes it an ordinal, between two words; None if it is none."""
        return None

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        """The words of a fraction before the word `noun`; None if it is not said as one."""
        return None

    def regnal(self, number: int, before: str) -> str:
        """The words of a Roman numeral after a name."""
        return self.cardinal(number)

    def roman(self, number: int, before: str, after: str, suffix: str) -> str | None:
        """The words of a Roman numeral that stands after no name; None if it is none."""
        label = self.abbreviations.get(f"{before}.", before).lower()
        if label in self.labels or f"{before}." in self.centuries:
            return self.cardinal(number)
        numbered = 1 < number < 41 if not before else number not in (50, 100, 500, 1000)
        if self.articles and after and numbered and (not before or before.lower() in self.articles):
            return self.cardinal(number, "1f" if self.gender(after, 1) in ("f", "una", "un'") else "1")
        return None
