"""Measures: a number, a range or dimensions with a unit; feet and inches; degrees of an angle."""

from __future__ import annotations

import re

from speechmlx.reading.english.addresses import STARTS
from speechmlx.reading.english.amounts import AMOUNT, DASH, after_article, amount
from speechmlx.reading.english.context import DEVICE, NOT_NOUNS, attributive, before_noun, is_plural
from speechmlx.reading.english.grammar import Place, Rule, letters, rule
from speechmlx.reading.english.numbers import cardinal, number, pairs
from speechmlx.reading.english.units import COOKING, EXTENTS, PER, UNITS, Unit, british_spelling, per_unit

UNIT = "|".join(re.escape(u).replace(r"\ ", r"\s?") for u in sorted(UNITS, key=len, reverse=True))
SIGN = r"(?:(?<![\w.,)%°\"'′″])[-−+±~≈]|(?<![^\s(])–)"
COMMA = r"\d{1,4},\d{1,2}(?!\d)"
QUANTITY = rf"(?:{COMMA}|{AMOUNT})"
SCALE = r"(?:[ -](?i:hundred|thousand|million|billion|trillion)|k(?=\s))?"
BOUNDARY = r"(?![\w²³^'’]|\.[\w])"
UNIT_PER = rf"(?:\s?/\s?(?P<per>{PER})(?![\w²³/^]))?"
NOT_UNIT = re.compile(rf"\s?(?:[A-Z][a-z]|\d)|\.\s(?!(?:{STARTS})\b)[A-Z][a-z]+(?!\s[a-z])")
SEAT = re.compile(
    r"\b(?:seat|gate|apt|apartment|room|unit|row|suite|flat|class|grade|section|type|vitamin|no)\.?\s+$", re.I
)
FONT = re.compile(r"\s(?:font|type|text|size|Times|Arial|Helvetica|lead)")
POINT = Unit("point", "points")
BASIS = Unit("basis point", "basis points")
POWERED = re.compile(r"(?:\d[eE][+-]?\d{1,3}|[⁰¹²³⁴⁵⁶⁷⁸⁹]|\^[-−]?\d{1,3})\s$")
MEASURED = re.compile(rf"\d\s?(?:{UNIT}|[\"'′″°%])$")
AFTER_IN = re.compile(r"\s?(?:$|[.,;:)x×]|(?:wide|long|tall|deep|thick|high|by|of rain|of snow|in diameter)\b)")


def _spelling(written: str) -> str:
    return written if written in UNITS else re.sub(r"\s", " ", written)


def _find(written: str) -> Unit:
    plain = _spelling(written)
    if plain in UNITS:
        return UNITS[plain]
    spaced = {u.replace(" ", ""): unit for u, unit in UNITS.items()}
    return spaced[plain.replace(" ", "")]


def _ambiguous(m: re.Match[str], place: Place) -> bool:
    """Whether what looks like a unit is none: "5 in 10", "1234 W 5th Ave", "seat 12A"."""
    unit, end = m["unit"], m.end("unit")
    gap = m["gap"]
    if unit == "in" and gap and not AFTER_IN.match(place.text, end):
        return True
    if unit in ("A", "K", "B", "C", "F", "d", "t") and not gap:
        return unit != "t" and not (unit == "A" and place.word_after(end).lower() in ("fuse", "breaker", "charger"))
    if unit == "st" and not gap:
        return True
    if unit == "s" and not gap and (re.match(r"\sof\b", place.after(end)) or DEVICE.search(place.before())):
        return True
    if unit in ("c", "T", "T."):
        return not re.match(r"\s[a-z]{3}", place.after(end)) or place.word_after(end) in NOT_NOUNS
    if unit == "ac":
        return not gap
    if unit == "c.":
        return not re.match(r"\s[a-z]", place.after(end))
    if unit in ("A", "B", "d", "t", "mo") and gap:
        return not (unit in ("A", "t") and re.match(r"\s?(?:$|[.,;:)/])", place.after(end)))
    if len(unit.rstrip(".")) <= 2 and unit.isupper() and gap and NOT_UNIT.match(place.text, end):
        return True
    return unit in ("pts", "pt.", "MP", "cal", "st", "mb") and bool(SEAT.search(place.before()))


def _measure(m: re.Match[str], place: Place) -> str | None:
    if _ambiguous(m, place):
        return None
    unit = (
        POINT
        if m["unit"] == "pt" and FONT.match(place.after(m.end()))
        else BASIS
        if m["unit"] == "bps" and len(m["high"]) < 4
        else _find(m["unit"])
    )
    high = amount(_point(m["high"]), place.british)
    low = f"{amount(_point(m['low']), place.british).words} to {_sign(m['below'])}" if m["low"] else ""
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


def _before_noun(m: re.Match[str], place: Place, unit: Unit) -> bool:
    if m["per"] or unit.one.endswith("celsius"):
        return False
    if m["gap"] == "-" or ((unit.one in EXTENTS or "per hour" in unit.one) and before_noun(place, m.end())):
        return True
    if attributive(place, m.end()):
        return unit.one not in COOKING or not is_plural(place.word_after(m.end()))
    return False


def _stop(m: re.Match[str], place: Place) -> str:
    """The end of the sentence that the full stop of a unit may be."""
    after = place.after(m.end())
    return " ." if m[0].endswith(".") and (not after.strip() or re.match(r"\s+[A-Z\"“]", after)) else ""


def _dimensions(m: re.Match[str], place: Place) -> str | None:
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


def _feet(m: re.Match[str], place: Place) -> str | None:
    """ "5'10\"" → "five foot ten", "6'" → "six feet"."""
    feet, inches = m["feet"], m["inches"]
    if not inches and m[0][-1] == "'" and re.search(r"(?<!\w)'[^']*$", place.before()):
        return None
    if not inches:
        return None if place.quoted and m[0][-1] in "'’" else f"{number(feet)} {'foot' if feet == '1' else 'feet'}"
    return f"{number(feet)} foot {amount(inches).words}"


def _inches(m: re.Match[str], place: Place) -> str | None:
    if place.quoted and m["mark"] == '"':
        return None
    size = amount(m["size"], place.british)
    single = size.single or attributive(place, m.end()) or before_noun(place, m.end())
    low = f"{amount(m['low'], place.british).words} to " if m["low"] else ""
    return f"{low}{size.words} {'inch' if single else 'inches'}"


def _rate(m: re.Match[str], place: Place) -> str | None:
    """ "8/day" → "eight per day", "3x/day" → "three times per day"."""
    if len(m["per"]) < 3 and not m["times"]:
        return None
    times = " times" if m["times"] else ""
    return f"{amount(m['amount'], place.british).words}{times} per {per_unit(m['per'], place.british)}"


def _angle(m: re.Match[str], place: Place) -> str:
    """ "40° 26′ 46″ N" → "forty degrees twenty six minutes forty six seconds north"."""
    said = [f"{_sign(m['sign'])}{number(m['degrees'])} {'degree' if _one_degree(m, place) else 'degrees'}"]
    for name in ("minute", "second"):
        if m[name]:
            said.append(f"{number(m[name])} {name}{'' if m[name] == '1' else 's'}")
    sides = {"N": "north", "S": "south", "E": "east", "W": "west"}
    return " ".join([*said, sides[m["side"]]] if m["side"] else said)


def _one_degree(m: re.Match[str], place: Place) -> bool:
    return m["degrees"] == "1" or (not m["side"] and before_noun(place, m.end()))


def _glued_degrees(m: re.Match[str], place: Place) -> str | None:
    """ "72F", "-5 C": degrees, but not of a seat, a room, a grade."""
    if SEAT.search(place.before()) or (not m["sign"] and len(m["high"]) < 2):
        return None
    low = f"{number(m['low'])} to " if m["low"] else ""
    name = "celsius" if m["scale"] == "C" else "fahrenheit"
    return f"{_sign(m['sign'])}{low}{number(m['high'])} degrees {name}"


def _to(m: re.Match[str], place: Place) -> str | None:
    """The dash of a range between two measures that have a unit each: "20%-30%"."""
    return "to" if MEASURED.search(place.before()) else None


def _times(m: re.Match[str], place: Place) -> str | None:
    """ "10x" → "ten times", but not in "2x + 1"."""
    if re.match(r"\s?[=+−×÷*^<>≤≥)/-]", place.after(m.end())) or re.search(r"[=+−×÷*(<>≤≥-]\s?$", place.before()):
        return None
    return f"{amount(m[1], place.british).words} times"


def _degree(m: re.Match[str], place: Place) -> str | None:
    """A unit behind a number with a power of ten: "3e8 m/s"."""
    if not POWERED.search(place.before()):
        return None
    name = _find(m["unit"]).many
    return f"{name} per {per_unit(m['per'])}" if m["per"] else name


def _video(m: re.Match[str], place: Place) -> str:
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
        rf"(?P<sign>{SIGN})?(?:(?P<low>\d{{1,3}})[-–])?(?P<high>\d{{1,3}}(?:\.\d)?)\s?(?P<scale>[CF])(?![\w'’&/#+])",
        _glued_degrees,
    ),
    rule("measure", "0", r"(\d{3,4})([pi])(?!\w)", _video),
    rule("measure", "-–—−", r"[-–—−](?=\s?[+−-]?\d)", _to),
    rule("measure", "0.", rf"({AMOUNT})x(?![\w])", _times),
    rule("measure", "aµ", rf"(?P<unit>{UNIT}){BOUNDARY}{UNIT_PER}", _degree),
]
