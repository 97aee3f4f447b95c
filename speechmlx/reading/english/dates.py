"""Dates: days, months, years, decades, weekdays, ISO shapes and their ranges."""

from __future__ import annotations

import re

from speechmlx.reading.english.calendar import DAY, MONTH, MONTH_NAMES, SHORT_DAY, day, month
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import cardinal, digits, ordinal, plural, year
from speechmlx.reading.english.times import clock, zone

TH = r"(?:st|nd|rd|th)?"
D = r"(?:0?[1-9]|[12]\d|3[01])"
YEAR = r"(?:1\d{3}|20\d\d|21\d\d)(?!\d|[.,:]\d)"
DASH = r"\s?[-–—−]\s?"
THEN_YEAR = rf"(?:,?\s(?P<year>{YEAR})|,?\s?['’](?P<short>\d\d)(?!\d))?"
NO_MORE = r"(?![\d\w]|[:/]\d|[.,]\d|\s?%|\s?°)"
DENOMINATORS = frozenset((*range(13), 16, 20, 32, 64, 100))
"""Of fractions: 5/16 is no date."""
DATED = re.compile(
    r"\b(?:on|by|until|till|since|before|after|due|dated|expires|through|starting|ships?|arrives?|opens?|starts?"
    r"|ends?|closes?|deadline|delivered|born|through|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)"
    r"(?:day)?\.?,?)\s+$",
    re.I,
)
DECADE = re.compile(
    r"\b(?:in|her|his|their|my|our|your|the|early|late|mid|high|low|upper|lower|roaring|swinging|of)[\s-]+$", re.I
)
PERSONAL = re.compile(r"\b(?:her|his|their|my|our|your|the|early|late|mid|high|low|upper|lower|roaring)[\s-]+$", re.I)
THE = re.compile(r"\bthe\s+$", re.I)


def said_year(written: str, british: bool = False) -> str:
    """Of four digits, or two: "24" → "twenty twenty four", "85" → "nineteen eighty five"."""
    value = int(written)
    if len(written) == 2:
        value += 2000 if value < 50 else 1900
    return year(value, british)


def _date(number: int, on: int, written: str | None, place: TokenContext) -> str | None:
    """A day of a month by their numbers, with a year or without; None where there is no such day."""
    if not (1 <= number <= 12 and 1 <= on <= 31):
        return None
    name = MONTH_NAMES[number - 1]
    said = f"the {ordinal(on)} of {name}" if place.british else f"{name} {ordinal(on)}"
    return f"{said} {said_year(written, place.british)}" if written else said


def _years(m: re.Match[str], place: TokenContext) -> str:
    if m["year"]:
        return f" {year(int(m['year']), place.british)}"
    return f" {said_year(m['short'], place.british)}" if m["short"] else ""


def _month_day(m: re.Match[str], place: TokenContext) -> str | None:
    """ "Jan. 5", "March 3-5, 2024", "Dec 30 – Jan 2"."""
    said = f"{month(m['month'])} {ordinal(int(m['day']))}"
    if m["last"]:
        other = f"{month(m['other'])} " if m["other"] else ""
        said += f" to {other}{ordinal(int(m['last']))}"
    return said + _years(m, place)


def _day_month(m: re.Match[str], place: TokenContext) -> str:
    """ "5 March 2024", "the 3rd-5th May", "15-Mar-2024"."""
    the = "" if THE.search(place.before()) else "the "
    low = f"{the}{ordinal(int(m['first']))} to " if m["first"] else ""
    return f"{low}{the}{ordinal(int(m['day']))} of {month(m['month'])}{_years(m, place)}"


def _month_year(m: re.Match[str], place: TokenContext) -> str:
    return f"{month(m['month'])}{_years(m, place)}"


def _numeric(m: re.Match[str], place: TokenContext) -> str | None:
    """ "3/4/2024": the month first, but in British texts, with full stops, or where it cannot be."""
    one, two = int(m["one"]), int(m["two"])
    day_first = place.british or m["mark"] == "." or one > 12
    number, on = (two, one) if day_first and two <= 12 else (one, two)
    return _date(number, on, m["year"], place)


def _short_numeric(m: re.Match[str], place: TokenContext) -> str | None:
    """ "3/15" after "on", "by", ...; any other is a fraction."""
    if m[0] == "9/11":
        return "nine eleven"
    one, two = int(m["one"]), int(m["two"])
    dated = DATED.search(place.before()) or re.match(r"\s(?:at|@)\s\d", place.after(m.end()))
    if not dated and (max(one, two) if place.british else two) in DENOMINATORS:
        return None
    if not dated and ((place.british and one <= 12) or (not place.word_before().islower() and two == one + 1)):
        return None
    return _date(two, one, None, place) if place.british else _date(one, two, None, place)


def _iso(m: re.Match[str], place: TokenContext) -> str | None:
    said = _date(int(m["month"]), int(m["day"]), m["year"], place)
    if said is None or not m["hour"]:
        return said
    if int(m["hour"]) > 24 or int(m["minute"]) > 59:
        return None
    return f"{said} {clock(int(m['hour']), int(m['minute']))}{zone(m['zone'])}"


def _year_month(m: re.Match[str], place: TokenContext) -> str:
    return f"{MONTH_NAMES[int(m['month']) - 1]} {year(int(m['year']), place.british)}"


def _decade(m: re.Match[str], place: TokenContext) -> str | None:
    text = m["digits"]
    if len(text) == 4:
        value = int(text)
        return plural(cardinal(value) if value % 1000 == 0 else year(value))
    if not m["quote"] and not DECADE.search(place.before()):
        return None
    if not m["quote"] and not PERSONAL.search(place.before()) and place.word_after(m.end()):
        return None
    return plural(cardinal(int(text))) if text != "00" else "two thousands"


def _era(m: re.Match[str], place: TokenContext) -> str:
    said = [year(int(n), place.british) if len(n) == 4 else cardinal(int(n.replace(",", "")), place.british)
            for n in (m["from"], m["year"]) if n]  # fmt: skip
    return f"{' to '.join(said)} {letters(m['era'])}"


def _era_before(m: re.Match[str], place: TokenContext) -> str:
    said = year(int(m["year"]), place.british) if len(m["year"]) == 4 else cardinal(int(m["year"]), place.british)
    return f"{letters(m['era'])} {said}"


def _weekday(m: re.Match[str], place: TokenContext) -> str | None:
    """A short weekday: with its full stop, in a range, before or after a date or a time."""
    bare = m[0].rstrip(".")
    after, before = place.after(m.end()), place.before()
    beside = re.match(rf"\.?,?\s?(?:[-–—/&]|to\b|and\b|at\b)?\s?(?:\d|{MONTH}|{DAY})", after) or re.search(
        rf"(?:{DAY})(?:,|\s?[-–—/&]|,?\sto|,?\sand)?\s?$|\d,?\s$|(?:am|pm|a\.m\.|p\.m\.)\s$", before
    )
    if (bare in ("Sun", "Mon") and not beside) or (bare in ("Sat", "Wed", "Fri") and not (beside or m[0][-1] == ".")):
        return None
    if m[0][-1] == "." and not re.match(r"\s*[\w(]", after):
        return f"{day(bare)} ."
    ends = m[0][-1] == "." and re.match(r"\s+[A-Z]", after) and not beside
    return f"{day(bare)} ." if ends else day(bare)


def _short_month(m: re.Match[str], place: TokenContext) -> str | None:
    """A short month with no day: with its full stop, or where it is no name and no word."""
    bare = m[0].rstrip(".")
    if bare.isupper() and len(bare) == 3 and m[0][-1] != ".":
        return None
    after = place.after(m.end())
    beside = (
        re.search(rf"(?:{MONTH})(?:,|,?\s(?:&|and|or|to))\s$", place.before())
        or re.search(r"(?:[-–/]|\d\s)$", place.before())
        or re.match(rf"\s?[-–/]\s?{MONTH}", after)
    )
    if bare in ("Jan", "Mar", "Jun", "Apr") and m[0][-1] != "." and not beside:
        return None
    ends = m[0][-1] == "." and (not after.strip() or re.match(r"\s+[A-Z]", after))
    return f"{month(bare)} ." if ends else month(bare)


def _year_range(m: re.Match[str], place: TokenContext) -> str | None:
    if len(m["high"]) == 2 and int(m["high"]) <= int(m["low"][2:]):
        return None
    high = cardinal(int(m["high"])) if len(m["high"]) == 2 else year(int(m["high"]), place.british)
    if len(m["high"]) == 2 and m["high"][0] == "0":
        high = f"oh {high}"
    return f"{year(int(m['low']), place.british)} to {high}"


def _short_year(m: re.Match[str], place: TokenContext) -> str:
    """ "'24": the class of '24."""
    value = int(m["year"])
    return f"oh {cardinal(value)}" if 0 < value < 10 else cardinal(value) if value else digits("00")


def _short_years(m: re.Match[str], place: TokenContext) -> str:
    """ "'98-'99" → "ninety eight to ninety nine"."""
    return " to ".join(f"oh {cardinal(int(n))}" if n[0] == "0" else cardinal(int(n)) for n in m.groups())


def _range_of_names(m: re.Match[str], place: TokenContext) -> str:
    name = day if m["day"] else month
    return f"{name(m['low'])} {'' if '/' in m[0] else 'to '}{name(m['high'])}"


def _school_days(m: re.Match[str], place: TokenContext) -> str:
    """ "M-F" → "monday to friday"."""
    days = {
        "M": "monday",
        "T": "tuesday",
        "W": "wednesday",
        "Th": "thursday",
        "F": "friday",
        "Sa": "saturday",
        "Su": "sunday",
    }
    return f"{days[m[1]]} to {days[m[2]]}"


def _quarter(m: re.Match[str], place: TokenContext) -> str:
    last = re.sub(r"\D", "", m["year"])
    name = "fiscal year" if m["name"] == "FY" else letters(m["name"])
    return f"{name} {cardinal(int(m['number'])) + ' ' if m['number'] else ''}{said_year(last, place.british)}"


MARK = r"(?P<mark>[/.\-])"
RULES: list[Rule] = [
    rule(
        "date",
        "0",
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>0?[1-9]|1[0-2])(?P=mark)(?P<day>0?[1-9]|[12]\d|3[01])(?!\d)"
        r"(?:(?:T|\s)(?P<hour>\d\d):(?P<minute>\d\d)(?::\d\d(?:[.,]\d{1,9})?)?(?P<zone>Z|[+-]\d\d:?\d\d)?(?!\w))?",
        _iso,
    ),
    rule(
        "date",
        "0",
        r"(?P<year>(?:19|20)\d\d)[-/](?P<month>0[1-9]|1[0-2])(?![\d/-])",
        lambda m, place: None if "-" in m[0] and int(m["month"]) > int(m["year"][2:]) else _year_month(m, place),
    ),
    rule("date", "0", r"(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)\d\d)(?![\d/])", _year_month),
    rule(
        "date",
        "0",
        rf"(?P<one>\d{{1,2}}){MARK}(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d\d)(?![\d\w]|[./-]\d)",
        _numeric,
    ),
    rule("date", "0", r"(?P<one>\d{1,2})/(?P<two>\d{1,2})(?![\d/\w])", _short_numeric),
    rule(
        "date",
        "a",
        rf"(?<!\w)(?P<month>{MONTH})\s?(?P<day>{D}){TH}(?![^\W_])(?:{DASH}(?:(?P<other>{MONTH})\s)?"
        rf"(?P<last>{D}){TH})?{NO_MORE}{THEN_YEAR}",
        _month_day,
    ),
    rule(
        "date",
        "0",
        rf"(?:(?P<first>{D}){TH}{DASH})?(?P<day>{D}){TH}(?:\s|-|\sof\s)?(?P<month>{MONTH})(?![^\W_])(?:-(?P<dashed>"
        rf"(?!))?)?{THEN_YEAR}",
        _day_month,
    ),
    rule("date", "0", rf"(?P<first>)(?P<day>{D})-(?P<month>{MONTH})-(?P<year>\d{{4}})(?!\d)(?P<short>)", _day_month),
    rule(
        "date", "0", rf"(?P<first>)(?P<day>{D})[- ](?P<month>{MONTH})[- ](?P<short>\d\d)(?![\d:])(?P<year>)", _day_month
    ),
    rule("date", "a", rf"(?<!\w)(?P<month>{MONTH})(?:\sof)?{THEN_YEAR.removesuffix('?')}", _month_year),
    rule("date", "a", r"(?<![\w-])(M|T|W)[-–](Th|F|Sa|Su)(?![\w-])", _school_days),
    rule("date", "a", rf"(?<!\w)(?P<day>)(?P<low>{MONTH})\s?[-–—/]\s?(?P<high>{MONTH})(?![^\W_])", _range_of_names),
    rule("date", "a", rf"(?<!\w)(?P<low>{DAY})\s?[-–—]\s?(?P<high>(?P<day>{DAY}))(?![^\W_])", _range_of_names),
    rule("date", "a", rf"(?<!\w)(?:{SHORT_DAY})(?![\w'’])\.?", _weekday),
    rule("date", "a", r"(?<!\w)(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)(?![\w'’])\.?", _short_month),
    rule("date", "0'’", r"(?<![\w])(?P<quote>['’]?)(?P<digits>\d{3}0|\d0)['’]?s(?![^\W_])", _decade),
    rule("date", "0", rf"(?P<low>{YEAR})[-–—](?P<high>\d{{4}}|\d\d)(?![\d\w]|[-–./]\d)", _year_range),
    rule("date", "'’", r"(?<![\w])['’](\d\d)\s?[-–]\s?['’]?(\d\d)(?![\w'’])", _short_years),
    rule("date", "'’", r"(?<![\w])['’](?P<year>\d\d)(?![\w'’])", _short_year),
    rule(
        "date",
        "0",
        r"(?:(?P<from>\d{1,4})[-–])?(?P<year>\d{1,3},\d{3}|\d{1,7})\s?(?P<era>BCE|BC|CE|AD|B\.C\.E?\.?|A\.D\.)(?!\w)",
        _era,
    ),
    rule("date", "a", r"(?<!\w)(?P<era>AD|A\.D\.|CE)\s(?P<year>\d{1,4})(?![\d,.]\d)", _era_before),
    rule(
        "date",
        "a",
        r"(?<!\w)(?P<name>Q|H|FY)(?P<number>(?<=[QH])\d|)\s?(?P<year>(?<=FY)\d\d(?:\d\d)?|['’]\d\d|(?<=\s)(?:20"
        r"|19)\d\d|(?<=FY\s)\d\d)(?!\d)",
        _quarter,
    ),
]
