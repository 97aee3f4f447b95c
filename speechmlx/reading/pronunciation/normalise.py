"""Normalises English text: numbers, dates, times, money, units, abbreviations and symbols become words.

Rules are applied in order. A rule is a pattern and a function from the match to its replacement. The result has only
words, apostrophes, hyphens and punctuation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from speechmlx.reading.pronunciation.abbreviations import (
    CURRENCIES,
    DAYS,
    FRACTIONS,
    LETTER_NAMES,
    MONTHS,
    NUMBERED,
    PLAIN_FRACTIONS,
    REGNAL,
    SCRIPTS,
    SHORT,
    SYMBOLS,
    UNITS,
)
from speechmlx.reading.pronunciation.numbers import cardinal, digits, number, ordinal, plural, year

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
LONG = re.compile(r"\d(?:,?\d){39,}")
"""Digits that nobody can take in as one number: they are read one by one."""
MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
MONTH_NAMES = tuple(dict.fromkeys(MONTHS.values()))
MAGNITUDE = "hundred|thousand|million|billion|trillion"
SHORT_MAGNITUDE = {"k": "thousand", "m": "million", "bn": "billion", "b": "billion", "tn": "trillion", "t": "trillion"}
QUOTES = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "`": "'", "´": "'", "«": "“", "»": "”", "„": "“", "‟": "“"})
QUOTES |= str.maketrans({"–": "—", "―": "—", "−": "-", "‐": "-", "‑": "-", "\u00a0": " ", "\u00ad": "", "\u200b": ""})
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def normalise(text: str, british: bool = False) -> str:
    """ "Dr. Lee paid $3.50 on 3/4/2024." → words only; with `british`, 3/4 is the third of April."""
    text = unicodedata.normalize("NFC", text).translate(QUOTES)
    text = LONG.sub(lambda m: f" {digits(m[0])} ", text)
    for pattern, replace in (*RULES[:DATES], *(BRITISH_DATES if british else AMERICAN_DATES), *RULES[DATES:]):
        text = pattern.sub(replace, text)
    return re.sub(r"\s+", " ", text).strip()


def _web(m: re.Match[str]) -> str:
    address = re.sub(r"^(https?://)?(www\.)?", "", m[0].rstrip(".,!?;:/"))
    tail = m[0][len(m[0].rstrip(".,!?;:")) :]
    names = {".": " dot ", "/": " slash ", "@": " at ", "-": " dash ", "_": " underscore ", ":": " colon "}
    names |= {"?": " question mark ", "=": " equals ", "&": " and ", "#": " hash ", "+": " plus ", "%": " percent "}
    return "".join(names.get(c, c) for c in re.sub(r"\d+", lambda d: f" {digits(d[0])} ", address)) + tail


def _money(m: re.Match[str]) -> str:
    one, many, cent, cents = CURRENCIES[m["unit"]]
    amount, magnitude = m["amount"].replace(",", ""), m["magnitude"] or m["short"]
    if magnitude:
        magnitude = SHORT_MAGNITUDE.get(magnitude.lower(), magnitude.lower())
        return f"{number(amount)} {magnitude} {many}"
    whole, _, fraction = amount.partition(".")
    if not fraction or len(fraction) != 2 or not cent:
        return f"{number(amount)} {one if amount == '1' else many}"
    parts = []
    if int(whole) or not int(fraction):
        parts.append(f"{cardinal(int(whole))} {one if int(whole) == 1 else many}")
    if int(fraction):
        parts.append(f"{cardinal(int(fraction))} {cent if int(fraction) == 1 else cents}")
    return ("minus " if m["sign"] else "") + " and ".join(parts)


def _time(m: re.Match[str]) -> str:
    hour, minute = int(m["hour"]), int(m["minute"] or 0)
    half = ".".join((m["half"] or "").replace(".", "").upper())
    if minute == 0:
        words = cardinal(hour) if half or hour > 12 or hour == 0 else f"{cardinal(hour)} o'clock"
        words += " hundred hours" if not half and (hour > 12 or hour == 0) else ""
    else:
        words = f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    if m["second"]:
        words += f" and {cardinal(int(m['second']))} seconds"
    return f"{words} {half}" if half else words


def _date(month: int, day: int, written: str | None, otherwise: str) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return otherwise
    date = f"{MONTH_NAMES[month - 1]} {ordinal(day)}"
    if not written:
        return date
    full = int(written) if len(written) == 4 else 2000 + int(written) if int(written) < 50 else 1900 + int(written)
    return f"{date}, {year(full)}"


def _phone(m: re.Match[str]) -> str:
    groups = re.findall(r"\d+", m[0])
    words = ", ".join(digits(g) for g in groups)
    return f"plus {words}" if m[0].startswith("+") else words


def _fraction(m: re.Match[str]) -> str:
    top, bottom = int(m["top"]), int(m["bottom"])
    whole = f"{cardinal(int(m['whole']))} and " if m["whole"] else ""
    if bottom in FRACTIONS:
        name = FRACTIONS[bottom][top != 1]
    elif 2 < bottom <= 100:
        name = ordinal(bottom) + ("s" if top != 1 else "")
    else:
        return f"{whole}{cardinal(top)} over {cardinal(bottom)}"
    return f"{whole}{cardinal(top)} {name}"


def _plain_number(m: re.Match[str]) -> str:
    text = m[0]
    if text.count(".") > 1:
        return " point ".join(number(part) for part in text.split("."))
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text):
        return year(int(text))
    return number(text)


def _either(text: str) -> str:
    return year(int(text)) if re.fullmatch(r"1[1-9]\d\d|20\d\d", text) else number(text)


def _unit(m: re.Match[str]) -> str:
    one, many = UNITS[m["unit"]]
    return f"{number(m['amount'])} {one if m['amount'] in ('1', '-1') else many}"


def _roman_value(text: str) -> int:
    values = [ROMAN[c] for c in text]
    return sum(-v if v < following else v for v, following in zip(values, [*values[1:], 0], strict=True))


def _letters(m: re.Match[str]) -> str:
    """ "U.S." → "U.S": the dots mark letters that are spelled."""
    return ".".join(c for c in m[0] if c.isalpha())


def _foreign(m: re.Match[str]) -> str:
    """Replace Greek letters by their names, and text in another script by the name of the script."""
    if all(c in LETTER_NAMES for c in m[0].lower()):
        return f" {' '.join(LETTER_NAMES[c] for c in m[0].lower())} "
    script = unicodedata.name(m[0][0], "UNKNOWN").split()[0]
    return f" {SCRIPTS.get(script, script.capitalize())} text "


def _rule(pattern: str, replace: Callable[[re.Match[str]], str], flags: int = 0) -> Rule:
    return re.compile(pattern, flags), replace


I = re.IGNORECASE  # noqa: E741
UNIT = "|".join(re.escape(u) for u in sorted(UNITS, key=len, reverse=True))
CURRENCY = "|".join(re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True))
ABBREVIATION = "|".join(re.escape(a) for a in sorted(SHORT, key=len, reverse=True))

AMERICAN_DATES: list[Rule] = [
    _rule(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)\b", lambda m: _date(int(m[1]), int(m[2]), m[3], m[0])),
]
BRITISH_DATES: list[Rule] = [
    _rule(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)\b", lambda m: _date(int(m[2]), int(m[1]), m[3], m[0])),
]
DATES = 2  # index in RULES at which the date rules are inserted
RULES: list[Rule] = [
    _rule(r"\b(?:https?://|www\.)\S+|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _web),
    _rule(r"\b[\w-]+\.(?:com|org|net|io|ai|dev|co\.uk|edu|gov)\b(?:/\S*)?", _web),
    _rule(r"\b(\d{4})-(\d\d)-(\d\d)\b", lambda m: _date(int(m[2]), int(m[3]), m[1], m[0])),
    _rule(
        rf"\b({MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b(?![:.]\d)",
        lambda m: f"{MONTHS[m[1]]} {ordinal(int(m[2]))}" + (f", {year(int(m[3]))}" if m[3] else ""),
    ),
    _rule(
        rf"\b(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({MONTH})\b\.?(?:,? (\d{{4}}))?",
        lambda m: f"the {ordinal(int(m[1]))} of {MONTHS[m[2]]}" + (f" {year(int(m[3]))}" if m[3] else ""),
    ),
    _rule(rf"\b({MONTH})\.? (\d{{4}})\b", lambda m: f"{MONTHS[m[1]]} {year(int(m[2]))}"),
    _rule(
        rf"(?P<sign>-)?(?P<unit>{CURRENCY})\s?(?P<amount>{NUMBER})"
        rf"(?:[ -](?P<magnitude>{MAGNITUDE})|(?P<short>bn|tn|[kmbt]))?\b",
        _money,
        I,
    ),
    _rule(
        r"\b(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?:\s?(?P<half>[ap]\.?m\b\.?))?",
        _time,
        I,
    ),
    _rule(r"\b(?P<hour>1[0-2]|[1-9])(?P<minute>)(?P<second>)\s?(?P<half>[ap]\.?m\b\.?)", _time, I),
    _rule(r"(?:\+\d{1,3}[ -])?\(?\b\d{3}\)?[ -]\d{3}[ -]\d{4}\b|\b\d{3}-\d{4}\b|\+\d[\d -]{6,}\d\b", _phone),
    _rule(r"\b(\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1])), I),
    _rule(
        r"(?<!\w)(?:\b(\d\d)|')(\d)0'?s\b",
        lambda m: plural(
            (cardinal(int(m[1])) + " " if m[1] else "") + (cardinal(int(m[2]) * 10) if m[2] != "0" else "hundred")
        ),
    ),
    _rule(r"\b24/7\b", lambda m: "twenty four seven"),
    _rule(
        r"(?:\b(?P<whole>\d+)[ -])?\b(?P<top>\d{1,2})[/⁄](?P<bottom>\d{1,3})\b(?![/⁄])",
        _fraction,
    ),
    _rule(
        rf"(\d)?([{''.join(PLAIN_FRACTIONS)}])",
        lambda m: (f"{cardinal(int(m[1]))} and " if m[1] else "") + PLAIN_FRACTIONS[m[2]],
    ),
    _rule(rf"(?<![\w.])(?P<amount>-?{NUMBER})\s?(?P<unit>{UNIT})(?![\w°])", _unit),
    _rule(rf"\b({NUMBER})\s?[-—]\s?({NUMBER})\b(?![-—])", lambda m: f"{_either(m[1])} to {_either(m[2])}"),
    _rule(r"\b([Nn]o|[Nn]os|[Ff]ig|[Vv]ol|[Pp]p?|[Cc]h)\. ?(?=\d)", lambda m: f"{NUMBERED[m[1].lower()]} "),
    _rule(r"#(?=\d)", lambda m: "number "),
    _rule(rf"\b({'|'.join(REGNAL)}) ([IVX]+)\b", lambda m: f"{m[1]} the {ordinal(_roman_value(m[2]))}"),
    _rule(
        r"\b(Chapter|Part|War|Act|Scene|Section|Volume|Phase|Type|Level|Bowl|Title|Book|Class|Stage|Mark) ([IVXL]+)\b",
        lambda m: f"{m[1]} {cardinal(_roman_value(m[2]))}",
    ),
    _rule(r"\bSt\.(?= [A-Z])", lambda m: "Saint"),
    _rule(rf"\b({ABBREVIATION})\.(?!\w)(?= ?[a-z,;:)(\d]| ?[A-Z])", lambda m: SHORT[m[1]]),
    _rule(rf"\b({ABBREVIATION})\.(?!\w)", lambda m: SHORT[m[1]] + "."),
    _rule(rf"\b({'|'.join(DAYS)})\.(?!\w)", lambda m: DAYS[m[1]]),
    _rule(rf"\b({'|'.join(m for m in MONTHS if len(m) < 5 and m != 'May')})\.(?= |$)", lambda m: MONTHS[m[1]]),
    _rule(r"\b(?:[A-Za-z]\.){2,}(?=\s*$)", lambda m: _letters(m) + "."),
    _rule(r"\b(?:[A-Za-z]\.){2,}", _letters),
    _rule(r"\b([A-Z])\.(?= [A-Z])", lambda m: m[1]),
    _rule(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", lambda m: " "),
    _rule(rf"(?<![\w.])-(?={NUMBER})", lambda m: "minus "),
    _rule(r"\.\d+\b|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*", _plain_number),
    _rule(r"\.{3,}|…", lambda m: "…"),
    _rule(r"\b(and)/(or)\b", lambda m: "and or", I),
    _rule(r"\bw/(?=\s)", lambda m: "with"),
    _rule(rf"[{re.escape(''.join(SYMBOLS))}]", lambda m: f" {SYMBOLS[m[0]]} "),
    _rule(r"[^\W\d_]+", lambda m: m[0] if unicodedata.name(m[0][0], "").startswith("LATIN") else _foreign(m)),
    _rule(r"[^\w\s'.,!?;:—…“”\"()-]|_", lambda m: " "),
    _rule(r"\s-+\s|--+", lambda m: " — "),
]
