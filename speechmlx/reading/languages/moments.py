"""Dates, times of day and telephone numbers."""

from __future__ import annotations

import re

from speechmlx.reading.languages.amounts import governor
from speechmlx.reading.languages.grammar import Context, Recogniser, either, rule
from speechmlx.reading.languages.language import Language, TimeOfDay
from speechmlx.reading.languages.numerals import DASH, digits

P = Context[Language]
CLOCK = r"(?P<h{0}>2[0-4]|[01]?\d)(?:(?P<m{0}>[:.](?P<min{0}>[0-5]\d)(?:[:.](?P<s{0}>[0-5]\d))?))?"
YEAR_FIRST = r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<d>[0-2]?\d|3[01])(?!\d)"
DAY_FIRST = r"(?P<d>[0-2]?\d|3[01])(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<y>\d{4}|\d\d)(?!\d)"
DAY_AND_MONTH = r"(?P<d>[0-3]\d)/(?P<m>0[1-9]|1[0-2])(?P<y>)(?![\d/])"
AREA = r"(?:\+|00)?(?:\(\d{1,4}\)|\d{1,4}+)"
TELEPHONE = rf"{AREA}(?:[ .\u00a0/-]{{0,3}}(?:\(\d{{1,4}}\)|\d{{1,8}}+)){{1,7}}+(?!\d)"
TELEPHONE_WORD = re.compile(
    r"t[eé]l|phone|fone|fono|ligu|llam|appel|chiam|ruf|móvil|cell|fax|whatsapp|फ़ोन|फोन", re.IGNORECASE
)


def rules(language: Language) -> list[Recogniser[Language]]:
    names = either([*language.months, *(m.capitalize() for m in language.months), *language.short_months])
    lettered = rf"(?P<d>\d{{1,2}})(?P<order>\.|er|º|\.º|°)?(?P<of>\s(?:de\s)?)(?P<month>{names})(?!\w)"
    year = r"(?:(?:\.?,?\s|\s(?:de|del|do)\s)(?P<y>\d{4})(?![\d.,]\d|\d))?"
    mark = rf"(?:\s?(?P<mark>{language.hours})(?![^\W\d_]))?"
    late = r"(?:(?<!\s)\s?(?P<late>[0-5]\d)(?!\w|[.,:]\d))?"
    found = []
    if language.dotted_dates:
        dotted = r"(?P<d>[0-2]?\d|3[01])\.\s?(?P<m>0?[1-9]|1[0-2])\.(?:\s?(?P<y>\d{4}))?(?!\d)"
        found.append(rule("date", "0", dotted, _date))
    if language.weekdays:
        days = either([*language.weekdays, *(day.capitalize() for day in language.weekdays)])
        span = rf"(?P<a>{days})\.?\s?[{DASH}]\s?(?P<b>{days})(?!\w)(?:\.(?!\s?$))?"
        found.append(rule("weekdays", "a", span, _weekdays))
        found.append(rule("weekday", "a", rf"(?P<a>{days})(?:\.(?=,?\s\d)|(?=,?\s\d))", _weekday))
    month = rf"(?P<month>{either(language.short_months)})\s(?:de\s)?(?P<y>\d{{4}})(?![\d.,]\d|\d)"
    return [
        *found,
        rule("date", "a", month, _month),
        rule("date", "0", YEAR_FIRST, _date),
        rule("date", "0", DAY_FIRST, _date),
        rule("date", "0", DAY_AND_MONTH, _date),
        rule("date", "0", r"(?P<m>0[1-9]|1[0-2])/(?P<y>(?:19|20)\d\d)(?![\d/])", _month),
        rule("date", "0", f"{lettered}{year}", _lettered),
        rule("time", "0", f"{CLOCK.format('')}{mark}{late}", _time),
        rule("time", "0", rf"{CLOCK.format('')}\s?[{DASH}]\s?{CLOCK.format('2')}{mark}(?!\d)", _times),
        rule("telephone", "+0(", TELEPHONE, _telephone),
    ]


def _full(year: str) -> int:
    """A year of four digits, or of two: 69 is 2069, 70 is 1970."""
    return int(year) + (0 if len(year) > 2 else 2000 if int(year) < 70 else 1900)


def _date(m: re.Match[str], place: P) -> str | None:
    day = int(m["d"])
    if not day:
        return None
    year = _full(m["y"]) if m["y"] else None
    said = place.language.date(day, int(m["m"]), year, governor(place))
    return _with_end(m, place, said)


def _weekday(m: re.Match[str], place: P) -> str:
    days = place.language.weekdays
    return days.get(m["a"]) or days[m["a"].lower()]


def _weekdays(m: re.Match[str], place: P) -> str:
    days = place.language.weekdays
    first, last = (days.get(m[group]) or days[m[group].lower()] for group in "ab")
    return f"{first} {place.language.to} {last}"


def _month(m: re.Match[str], place: P) -> str:
    language = place.language
    month = language.short_months[m["month"]] if "month" in m.groupdict() else int(m["m"])
    return f"{language.months[month - 1]}{language.month_of}{language.year(int(m['y']))}"


def _lettered(m: re.Match[str], place: P) -> str | None:
    language, day = place.language, int(m["d"])
    name = m["month"]
    month = language.short_months.get(name) or [n.lower() for n in language.months].index(name.lower()) + 1
    if not 1 <= day <= 31:
        return None
    before = "'" if place.before().endswith("'") else governor(place)
    said = language.date(day, month, int(m["y"]) if m["y"] else None, before)
    first = day == 1 and m["order"] and language.first
    return f"{language.first} {said.partition(' ')[2]}" if first else said


def _time(m: re.Match[str], place: P) -> str | None:
    mark = m["mark"] or ""
    if not mark and (m["late"] or not m["min"]):
        return None
    if m["late"] and m["min"]:
        return None
    dotted = m["m"] and m["m"][0] == "."
    if dotted and not mark and not language_dotted(place):
        return None
    clock = TimeOfDay(int(m["h"]), int(m["min"] or m["late"] or 0), int(m["s"]) if m["s"] else None, mark)
    return _with_end(m, place, place.language.time(clock))


def language_dotted(place: P) -> bool:
    """Whether the word before says that "9.15" is a time."""
    return place.word_before().lower() in {"ore", "alle", "dalle", "um", "uhr"}


def _with_end(m: re.Match[str], place: P, said: str) -> str:
    return f"{said} ." if m[0].endswith(".") and place.ends(m.end()) else said


def _times(m: re.Match[str], place: P) -> str | None:
    mark = m["mark"] or ""
    if not (m["min"] and m["min2"]) or ("." in (m["m"][0], m["m2"][0]) and not mark):
        return None
    first, last = (TimeOfDay(int(m["h" + i]), int(m["min" + i]), None, mark) for i in ("", "2"))
    language = place.language
    return _with_end(m, place, language.range_of_times(language.time(first), language.time(last)))


def _telephone(m: re.Match[str], place: P) -> str | None:
    language, text = place.language, m[0]
    count = len(digits(text))
    asked = (text[0] in "+0(" and count > 6) or bool(language.phone and re.fullmatch(language.phone, text))
    asked = asked or (7 <= count <= 13 and bool(TELEPHONE_WORD.search(place.before()[-16:])))
    if not asked or count > 15 or text.count(".") == 1:
        return None
    groups = re.findall(r"\d+", text.replace("(0)", "0") if not text.startswith("+") else text.replace("(0)", ""))
    said = " , ".join(language.digits(digits(group)) for group in groups)
    return f"{language.signs['+']} {said}" if text[0] == "+" else said
