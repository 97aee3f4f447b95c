"""Measures: a number, a range or dimensions with a unit; feet and inches; degrees of an angle."""

from __future__ import annotations

import re

from speechmlx.reading.english.addresses import ROAD, STARTS
from speechmlx.reading.english.amounts import AMOUNT, DASH, after_article, amount, is_fraction
from speechmlx.reading.english.context import DEVICE, NOT_NOUNS, attributive, before_noun, is_plural
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import cardinal, number, ordinal, pairs
from speechmlx.reading.english.units import (
    BARE,
    COOKING,
    EXTENTS,
    PER,
    RATES,
    UNITS,
    VESSELS,
    Unit,
    british_spelling,
    per_unit,
)

UNIT = "|".join(re.escape(u).replace(r"\ ", r"\s?") for u in sorted(UNITS, key=len, reverse=True))
SIGN = r"(?:(?<![\w.,)%°\"'′″])[-−+±~≈]|(?<![^\s(])–)"
COMMA = r"\d{1,4},\d{1,2}(?!\d)"
QUANTITY = rf"(?:{COMMA}|{AMOUNT})"
SCALE = r"(?:[ -](?i:hundred|thousand|million|billion|trillion)|k(?=\s))?"
BOUNDARY = r"(?![\w²³^'’]|\.[\w])"
UNIT_PER = rf"(?:\s?/\s?(?P<per>{PER})(?:/(?P<then>{PER}))?(?![\w²³/^]))?"
NOT_UNIT = re.compile(rf"\s?(?:[A-Z][a-z]|\d)|\.\s(?!(?:{STARTS})\b)[A-Z][a-z]+(?!\s[a-z])")
SEAT = re.compile(
    r"\b(?:seat|gate|apt|apartment|room|unit|row|suite|flat|class|grade|section|type|vitamin|no)\.?\s+$", re.I
)
FONT = re.compile(r"\s(?:font|type|text|size|Times|Arial|Helvetica|lead)")
POINT = Unit("point", "point")
BASIS = Unit("basis point", "basis points")
VOLTS = re.compile(r"\d\s?(?:V|W|mA|Ah|mAh)\b[^.?!]{0,12}$")
COMPOUND = "km|mi|ft|kg|mg|mL|kJ|lb|mol|mmol|cm|mm|m|g"
COMPOUND_PER = r"s²|s\^2|m²|m³|in²|cm³|min|mol|kg|mL|dL|hr|ft|s|h|L"
PAIRED = re.compile(r"/\d[\d.]{0,6}\s?[A-Za-z]{1,3}(?=\s[a-z])")
POWERED = re.compile(r"(?:\d[eE][+-]?\d{1,3}|[⁰¹²³⁴⁵⁶⁷⁸⁹]|\^[-−]?\d{1,3})\s$")
MEASURED = re.compile(rf"\d\s?(?:{UNIT}|[\"'′″°%])\s?$")
AFTER_IN = re.compile(r"\s?(?:$|[.,;:)x×]|(?:wide|long|tall|deep|thick|high|by|of rain|of snow|in diameter)\b)")


def _spelling(written: str) -> str:
    return written if written in UNITS else re.sub(r"\s", " ", written)


def _find(written: str) -> Unit:
    plain = _spelling(written)
    if plain in UNITS:
        return UNITS[plain]
    spaced = {u.replace(" ", ""): unit for u, unit in UNITS.items()}
    return spaced[plain.replace(" ", "")]


def _ambiguous(m: re.Match[str], place: TokenContext) -> bool:
    """Whether what looks like a unit is none: "5 in 10", "1234 W 5th Ave", "seat 12A"."""
    unit, end, gap = m["unit"], m.end("unit"), m["gap"]
    after = place.after(end)
    if unit in ("c", "T", "T.", "t.", "c."):
        return not re.match(r"\s[a-z]{3}", after) or place.word_after(end) in NOT_NOUNS
    if unit == "ac":
        return not gap
    if unit == "cal" and m["high"].startswith("."):
        return True
    if unit == "W" and re.match(r"-\d\d(?![\dW])", after):
        return True
    if ROAD.search(place.before() + m[0][: m.start("gap") - m.start()] + " ") and unit in "NSEW":
        return True
    if gap and _apart(unit, gap, after, place, end):
        return True
    if not gap and _glued(unit, m["high"], after, place, end):
        return True
    return unit in ("pts", "pt.", "MP", "cal", "st", "mb") and bool(SEAT.search(place.before()))


def _apart(unit: str, gap: str, after: str, place: TokenContext, end: int) -> bool:
    """Whether what stands after a blank or a hyphen is no unit."""
    if unit == "in":
        return not AFTER_IN.match(place.text, end)
    if gap == "-":
        return len(unit) == 1 and unit not in "mgVW%°" and not (unit == "L" and re.match(r"\s[a-z]", after))
    if unit in ("A", "B", "d", "t", "mo"):
        return not (unit in ("A", "t") and re.match(r"\s?(?:$|[.,;:)/])", after))
    return len(unit.rstrip(".")) <= 2 and unit.isupper() and NOT_UNIT.match(place.text, end) is not None


def _glued(unit: str, number: str, after: str, place: TokenContext, end: int) -> bool:
    """Whether letters right behind a number are no unit: "12A", "747s", "1st"."""
    if unit == "d":
        few = int(re.sub(r"\D", "", number)[:9] or 0) <= 3
        return few and place.word_before() not in ("for", "in", "every", "last")
    if unit == "A":
        named = place.word_after(end).lower() in ("fuse", "breaker", "charger")
        return not named and VOLTS.search(place.before()) is None
    if unit == "s":
        model = re.fullmatch(r"\d\d[1-9]", number) or DEVICE.search(place.before())
        return model is not None or re.match(r"\sof\b", after) is not None
    return unit in ("K", "B", "C", "F", "st")


def _measure(m: re.Match[str], place: TokenContext) -> str | None:
    if _ambiguous(m, place):
        return None
    unit = (
        POINT
        if m["unit"] == "pt" and FONT.match(place.after(m.end()))
        else BASIS
        if m["unit"] == "bps" and len(m["high"]) < 4
        else _find(m["unit"])
    )
    mixed = m["low"] and m["low"].isdecimal() and f"{m['low']}-{m['high']}" in m[0] and is_fraction(m["high"])
    high = amount(f"{m['low']}-{m['high']}" if mixed else _point(m["high"]), place.british)
    low = f"{amount(_point(m['low']), place.british).words} to {_sign(m['below'])}" if m["low"] and not mixed else ""
    scale = f" {m['scale'].strip(' -').lower().replace('k', 'thousand') if m['scale'] else ''}".rstrip()
    single = high.single and not low and not scale
    many = unit.many
    if not single and _before_noun(m, place, unit):
        many, single = unit.one, True
    name = unit.one if single else many
    if high.fraction and high.single and unit.one in COOKING and place.word_after(m.end()) == "of":
        name = f"of a {unit.one}"
    name = british_spelling(name) if place.british else name
    said = f"{_sign(m['sign'])}{low}{after_article(high, place)}{scale}{' plus' if m['plus'] else ''} {name}"
    if m["per"]:
        said += f" per {per_unit(m['per'], place.british)}"
    if m["then"]:
        said += f" per {per_unit(m['then'], place.british)}"
    return said + _stop(m, place)


def _point(text: str) -> str:
    return text.replace(",", ".") if re.fullmatch(COMMA, text) else text


def _sign(sign: str | None) -> str:
    return {
        "+": "plus ",
        "-": "minus ",
        "–": "minus ",
        "−": "minus ",
        "±": "plus or minus ",
        "~": "about ",
        "≈": "about ",
    }.get(sign or "", "")


def _before_noun(m: re.Match[str], place: TokenContext, unit: Unit) -> bool:
    if m["per"] or unit.one.endswith("celsius"):
        return False
    if (
        m["gap"] == "-"
        or place.word_after(m.end()) in VESSELS
        or ((unit.one in EXTENTS or "per hour" in unit.one) and before_noun(place, m.end()))
    ):
        return True
    listed = PAIRED.match(place.after(m.end()))
    if listed and attributive(place, m.end() + listed.end()):
        return True
    if attributive(place, m.end()):
        return unit.one not in COOKING or not is_plural(place.word_after(m.end()))
    return False


def _stop(m: re.Match[str], place: TokenContext) -> str:
    """The end of the sentence that the full stop of a unit may be."""
    after = place.after(m.end())
    return " ." if m[0].endswith(".") and (not after.strip() or re.match(r"\s+[A-Z\"“]", after)) else ""


def _dimensions(m: re.Match[str], place: TokenContext) -> str | None:
    """ "3x5", "10×15 cm", "8.5\" x 11\"", "3 m x 4 m", "1920x1080"."""
    sizes = re.findall(rf"({AMOUNT})\s?({UNIT}|[\"″'′])?\s?[x×X]?\s?", m["sizes"])
    unit = m["unit"] or ""
    if "×" in m[0] and not unit and not any(u for _, u in sizes) and not all(len(s) in (3, 4) for s, _ in sizes):
        return None
    if re.match(r"\s?=", place.after(m.end())) or re.search(r"=\s?$", place.before()):
        return None
    if any(size.isdecimal() and len(size) > 1 and size[0] == "0" for size, _ in sizes):
        return None
    single = attributive(place, m.end()) or before_noun(place, m.end())
    said = []
    for size, own in sizes:
        words = (
            pairs(size) if size.isdecimal() and len(size) in (3, 4) and not unit else amount(size, place.british).words
        )
        said.append(f"{words} {_named(own, '1' if single else size)}".strip())
    last = sizes[-1][0]
    name = (_find(unit).one if single or last == "1" else _find(unit).many) if unit and not sizes[-1][1] else ""
    return f"{' by '.join(said)} {name}".strip() + ("s" if m["many"] else "")


def _named(unit: str, size: str) -> str:
    if not unit:
        return ""
    found = Unit("inch", "inches") if unit in '"″' else Unit("foot", "feet") if unit in "'′" else _find(unit)
    return found.one if size == "1" else found.many


def _feet(m: re.Match[str], place: TokenContext) -> str | None:
    """ "5'10\"" → "five foot ten", "6'" → "six feet", "a 40' boat" → "forty foot", "(78')" → "minutes" of a match."""
    feet, before = m["feet"], place.before()
    if m["inches"]:
        return f"{number(feet)} foot {amount(m['inches']).words}"
    if place.word_after(m.end()) == "minute":
        return ordinal(int(feet))
    if re.search(r"\d\+$", before) or (before[-1:] == "(" and place.text[m.end() : m.end() + 1] == ")"):
        return f"{number(feet)} minutes"
    quoted = place.quoted or re.search(r"(?<!\w)'(?!(?:bout|round|til|cause|em)\b)[^']*$", before)
    if quoted and m[0][-1] == "'":
        return None
    single = feet == "1" or attributive(place, m.end()) or before_noun(place, m.end())
    return f"{number(feet)} {'foot' if single else 'feet'}"


def _inches(m: re.Match[str], place: TokenContext) -> str | None:
    if place.quoted and m["mark"] == '"':
        return None
    mixed = m["low"] and m["low"].isdecimal() and f"{m['low']}-{m['size']}" in m[0] and is_fraction(m["size"])
    size = amount(f"{m['low']}-{m['size']}" if mixed else m["size"], place.british)
    single = size.single or attributive(place, m.end()) or before_noun(place, m.end())
    low = f"{amount(m['low'], place.british).words} to " if m["low"] and not mixed else ""
    return f"{low}{size.words} {'inch' if single else 'inches'}"


def _rate(m: re.Match[str], place: TokenContext) -> str | None:
    """ "8/day" → "eight per day", "3x/day" → "three times per day"."""
    if len(m["per"]) < 3 and not m["times"]:
        return None
    times = " times" if m["times"] else ""
    return f"{amount(m['amount'], place.british).words}{times} per {per_unit(m['per'], place.british)}"


def _angle(m: re.Match[str], place: TokenContext) -> str:
    """ "40° 26′ 46″ N" → "forty degrees twenty six minutes forty six seconds north"."""
    said = [f"{_sign(m['sign'])}{number(m['degrees'])} {'degree' if _one_degree(m, place) else 'degrees'}"]
    for name in ("minute", "second"):
        if m[name]:
            said.append(f"{number(m[name])} {name}{'' if m[name] == '1' else 's'}")
    sides = {"N": "north", "S": "south", "E": "east", "W": "west"}
    return " ".join([*said, sides[m["side"]]] if m["side"] else said)


def _one_degree(m: re.Match[str], place: TokenContext) -> bool:
    return m["degrees"] == "1" or (not m["side"] and before_noun(place, m.end()))


def _glued_degrees(m: re.Match[str], place: TokenContext) -> str | None:
    """ "72F", "-5 C": degrees, but not of a seat, a room, a grade."""
    if SEAT.search(place.before()) or (not m["sign"] and len(m["high"]) < 2):
        return None
    low = f"{number(m['low'])} to " if m["low"] else ""
    name = "celsius" if m["scale"] == "C" else "fahrenheit"
    return f"{_sign(m['sign'])}{low}{number(m['high'])} degrees {name}"


def _to(m: re.Match[str], place: TokenContext) -> str | None:
    """The dash of a range between two measures that have a unit each: "20%-30%"."""
    spaced = place.before()[-1:].isspace()
    if (spaced and "=" in place.after(m.end())) or re.search(r"\dW$", place.before()):
        return None
    return "to" if MEASURED.search(place.before()) else None


def _times(m: re.Match[str], place: TokenContext) -> str | None:
    """ "10x" → "ten times", but not in "2x + 1"."""
    if re.match(r"\s?[=+−×÷*^<>≤≥)/-]", place.after(m.end())) or re.search(r"[=+−×÷*(<>≤≥-]\s?$", place.before()):
        return None
    return f"{amount(m[1], place.british).words} times"


def _degree(m: re.Match[str], place: TokenContext) -> str | None:
    """A unit behind a number with a power of ten: "3e8 m/s"."""
    if not POWERED.search(place.before()):
        return None
    name = _find(m["unit"]).many
    return f"{name} per {per_unit(m['per'])}" if m["per"] else name


def _counted(m: re.Match[str], place: TokenContext) -> str | None:
    """ "cells/µL", "10⁶/µL", "days/mo.": "per" and the unit."""
    if not re.search(r"(?:[a-z]{2,}s|[⁰¹²³⁴⁵⁶⁷⁸⁹]|\^\d{1,2})\s?$", place.before()):
        return None
    return f"per {per_unit(m['per'], place.british)}" + _stop(m, place)


def _inverse(m: re.Match[str], place: TokenContext) -> str:
    """ "s⁻¹" → "per second"."""
    raised = {"¹": "", "²": " squared", "³": " cubed"}[m["power"]]
    return f"per {per_unit(m['per'], place.british)}{raised}"


def _compound(m: re.Match[str], place: TokenContext) -> str:
    """ "lb/in²" with no number → "pounds per square inch"."""
    return f"{_find(m['unit']).many} per {per_unit(m['per'], place.british)}"


def _bare(m: re.Match[str], place: TokenContext) -> str:
    """A unit with no number: "in kg", "°C"."""
    return british_spelling(_find(m[0]).many) if place.british else _find(m[0]).many


def _of(m: re.Match[str], place: TokenContext) -> str:
    """ "12.4/16 GB" → "twelve point four out of sixteen gigabytes"."""
    return f"{number(m['first'])} out of {number(m['high'])} {_find(m['unit']).many}"


def _caliber(m: re.Match[str], place: TokenContext) -> str:
    """ ".45 cal" → "forty five caliber"."""
    return f"{pairs(m[1])}{' caliber' if m[2] else ''}"


def _video(m: re.Match[str], place: TokenContext) -> str:
    """ "1080p" → "ten eighty p", "4K" → "four k"."""
    return f"{pairs(m[1]) if len(m[1]) > 2 else cardinal(int(m[1]))} {letters(m[2])}"


RULES: list[Rule] = [
    rule(
        "measure",
        "0.-−–+±~≈" + "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒",
        rf"(?P<sign>{SIGN})?(?:(?P<low>{QUANTITY})\s?°?{DASH}(?P<below>[-−])?)?(?P<high>{QUANTITY})(?P<scale>{SCALE})"
        rf"(?P<plus>\+)?"
        rf"(?P<gap>[ \u00a0\u202f-]?)(?P<unit>{UNIT}){BOUNDARY}{UNIT_PER}",
        _measure,
    ),
    rule(
        "measure",
        "0.½¼¾",
        rf"(?P<sizes>{AMOUNT}(?:\s?(?:{UNIT}|[\"″'′]))?(?:\s?[xX×]\s?{AMOUNT}(?:\s?(?:[\"″'′]|(?:{UNIT})(?![\w²³]))"
        rf"(?=\s?[xX×]|(?![\w])))?)"
        rf"{{1,3}})(?:[\s-]?(?P<unit>{UNIT}){BOUNDARY})?(?P<many>s\b)?(?![\w])",
        _dimensions,
    ),
    rule(
        "measure",
        "0",
        r"(?P<feet>\d{1,3})\s?['′’]\s?(?P<inches>(?:1[01]|\d)(?:\.\d|\s?[½¼¾])?)\s?(?:[\"″”]|''|’’)?(?!\w)",
        _feet,
    ),
    rule("measure", "0", r"(?P<feet>\d{1,3})\s?ft\.?\s?(?P<inches>1[01]|\d)(?![\w]|[.,]\d|\s?(?:in\b|\"))", _feet),
    rule("measure", "0", r"(?P<feet>\d{1,6})\s?['′](?P<inches>)(?![\w'])", _feet),
    rule("measure", "0.", rf"(?P<amount>{AMOUNT})(?P<times>\s?x)?\s?/\s?(?P<per>{PER})(?![\w/])", _rate),
    rule(
        "measure", "0.", rf"(?:(?P<low>{AMOUNT}){DASH})?(?P<size>{AMOUNT})(?:-|\s(?=″))?(?P<mark>[\"″])(?!\w)", _inches
    ),
    rule(
        "measure",
        "0-−–",
        r"(?P<sign>(?<![^\s(])[-−–])?(?P<degrees>\d{1,3}(?:\.\d{1,8})?)\s?[°º](?:\s?(?P<minute>\d{1,2}(?:\.\d{1,6})?)"
        r"\s?['′’])?"
        r"(?:\s?(?P<second>\d{1,2}(?:\.\d{1,6})?)\s?(?:[\"″”]|''))?(?:\s?(?P<side>[NSEW])(?!\w))?(?!\s?[CFK]\b)",
        _angle,
    ),
    rule(
        "measure",
        "0-−+",
        rf"(?P<sign>{SIGN})?(?:(?P<low>\d{{1,3}})[-–])?(?P<high>\d{{1,3}}(?:\.\d)?)\s?(?P<scale>[CF])(?![\w'’&/#+]"
        rf"|\.\w)",
        _glued_degrees,
    ),
    rule("measure", "0", r"(\d{3,4})([pi])(?!\w)", _video),
    rule("measure", "/", rf"\s?/\s?(?P<per>{RATES})(?![\w/²³])", _counted),
    rule("measure", "a°", rf"(?<![\w/])(?:{BARE})(?![\w'’/.-])", _bare),
    rule(
        "measure",
        "0",
        rf"(?P<first>\d{{1,6}}\.\d{{1,4}})\s?/\s?(?P<high>\d{{1,6}}(?:\.\d{{1,4}})?)\s?(?P<unit>{UNIT}){BOUNDARY}",
        _of,
    ),
    rule(
        "measure",
        ".",
        r"\.(\d\d)(?:(\s?[- ]?cal(?:iber)?\.?(?!\w))|(?=\s(?i:rifle|pistol|revolver|magnum|handgun|rounds?|colt|acp"
        r"|special|gun|bullet|shell)))",
        _caliber,
    ),
    rule("measure", "a", rf"(?<![\w/.])(?P<unit>{COMPOUND})/(?P<per>{COMPOUND_PER})(?![\w'’/-])", _compound),
    rule("measure", "aµ", rf"(?<!\w)(?P<per>{PER})⁻(?P<power>[¹²³])", _inverse),
    rule("measure", "-–—−", r"[-–—−](?=\s?[+−-]?\d)", _to),
    rule("measure", "0.", rf"({AMOUNT})x(?![\w])", _times),
    rule("measure", "aµ", rf"(?P<unit>{UNIT}){BOUNDARY}{UNIT_PER}", _degree),
]
