"""Times of the day, their ranges and zones, and durations."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import ONES, cardinal, digits

HALF = r"(?:\s?(?:[ap]m|[AP]M|[ap]\.\s?m\.?|[AP]\.\s?M\.?)(?![\w]))"
ZONES = (
    "UTC GMT EST EDT CST CDT MST MDT PST PDT AKST AKDT HST BST CET CEST EET EEST WET WEST MSK IST JST KST HKT SGT AEST "
    "AEDT ACST AWST NZST NZDT ET CT MT PT Z"
)
ZONE = (
    rf"(?:\s?(?P<zone>(?:{'|'.join(sorted(ZONES.split(), key=len, reverse=True))})(?:[+-]\d{{1,2}}(?::\d\d)?)?)(?!\w))?"
)
HM = r"(?:[01]?\d|2[0-4])"
DASH = r"\s?(?:[-–—−]|\bto\b)\s?"
UNITS = {
    "d": "day", "day": "day", "days": "day", "h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour",
    "m": "minute", "min": "minute", "mins": "minute", "minutes": "minute", "s": "second", "sec": "second",
    "secs": "second", "seconds": "second", "ms": "millisecond", "y": "year", "yr": "year", "yrs": "year", "w": "week",
    "wk": "week", "wks": "week", "mo": "month",
}  # fmt: skip
ORDER = "year month week day hour minute second millisecond".split()
SPAN = r"(?:ms|min|mins|minutes|mo|m|hours|hour|hrs|hr|h|days|day|d|seconds|secs|sec|s|yrs|yr|y|wks|wk|w)"
RATIO = re.compile(
    r"\b(?:ratio|aspect|odds|scale|mix|mixed|dilute|diluted|dilution|proportions?|blend)\b[^.?!\d]{0,20}$|\bratio of"
    r"\s$",
    re.I,
)
RATIO_AFTER = re.compile(r"\s(?:ratio|aspect|screen|display|monitor|odds|scale|format|mix|video|widescreen)", re.I)


def clock(hour: int, minute: int, half: str = "") -> str:
    """(9, 0) → "nine o'clock", (17, 0) → "seventeen hundred", (9, 5) → "nine oh five"; with a half, plain."""
    if minute:
        return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    if half:
        return cardinal(hour)
    return f"{cardinal(hour)} o'clock" if 0 < hour < 13 else f"{cardinal(hour)} hundred"


def zone(written: str | None) -> str:
    """The words of a time zone, with a blank before: "UTC+2" → " u t c plus two"; "" for none."""
    if not written:
        return ""
    if written == "Z":
        return " .u .t .c"
    name, sign, rest = re.fullmatch(r"([A-Z]*)([+-]?)(.*)", written).groups()  # type: ignore[union-attr]
    said = f" {letters(name)}" if name else ""
    if sign:
        hours, _, minutes = (rest if ":" in rest or len(rest) < 3 else f"{rest[:2]}:{rest[2:]}").partition(":")
        said += f" {'plus' if sign == '+' else 'minus'} {cardinal(int(hours))}"
        said += f" {cardinal(int(minutes))}" if minutes.strip("0") else ""
    return said


def _half(written: str | None) -> str:
    return f" {letters(written)}" if written else ""


def _one(hour: str, minute: str | None, half: str | None, bare: bool = False) -> str:
    """A time; `bare`: a whole hour without "o'clock", as in a range."""
    said = clock(int(hour), int(minute or 0), half or ("bare" if bare and int(hour) < 13 else ""))
    return said + _half(half)


def _time(m: re.Match[str], place: TokenContext) -> str | None:
    hour, minute = m["hour"], m["minute"]
    if not m["half"] and m["mark"] == ".":
        return None
    before = place.before()
    if minute and not m["half"] and (RATIO.search(before) or RATIO_AFTER.match(place.text, m.end())):
        return f"{cardinal(int(hour))} to {cardinal(int(minute))}"
    said = _one(hour, minute, None) if not m["half"] else _one(hour, minute, m["half"])
    if m["second"]:
        said = _running_time(hour, minute, m["second"]) + _half(m["half"])
    return said + zone(m["zone"]) + _final(m, place)


def _running_time(hour: str, minute: str, second: str) -> str:
    """ "1:05:09" → "one oh five oh nine"."""
    rest = (f"{'oh ' if int(n) < 10 else ''}{cardinal(int(n))}" for n in (minute, second))
    return f"{cardinal(int(hour))} {' '.join(rest)}"


def _final(m: re.Match[str], place: TokenContext) -> str:
    """The end of the sentence that the full stop of "p.m." may be."""
    after = place.after(m.end())
    return " ." if m[0].endswith(".") and (not after.strip() or re.match(r"\s+[A-Z\"“]", after)) else ""


def _range(m: re.Match[str], place: TokenContext) -> str | None:
    """ "9am-5pm", "9:00-17:00", "5-6pm", "10:30–11:45 am"."""
    if not (m["half"] or m["half2"] or m["minute"] or m["minute2"]):
        return None
    bare = not m["minute"] and not m["half"]
    low = cardinal(int(m["hour"])) if bare and int(m["hour"]) < 13 else _one(m["hour"], m["minute"], m["half"], True)
    high = _one(m["hour2"], m["minute2"], m["half2"], True)
    return f"{low} to {high}{zone(m['zone'])}{_final(m, place)}"


def _running(m: re.Match[str], place: TokenContext) -> str:
    """Minutes and seconds with a fraction: "12:35.36" → "twelve thirty five point three six"."""
    hours = f"{cardinal(int(m['hours']))} " if m["hours"] else ""
    second = int(m["second"])
    said = f"{cardinal(int(m['minute']))} {'oh ' if second < 10 else ''}{cardinal(second)}"
    return f"{hours}{said} point {digits(m['part'])}"


def _duration(m: re.Match[str], place: TokenContext) -> str | None:
    """ "1h 30m" → "one hour thirty minutes"."""
    parts = [(n, UNITS[unit]) for n, unit in re.findall(rf"(\d+)\s?({SPAN})(?![a-z])", m[0])]
    order = [ORDER.index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        return None
    return " ".join(f"{cardinal(int(n))} {unit}{'s' if int(n) != 1 else ''}" for n, unit in parts)


def _hours(m: re.Match[str], place: TokenContext) -> str:
    """ "1h30" → "one hour thirty"."""
    return f"{cardinal(int(m[1]))} hour{'s' if int(m[1]) != 1 else ''} {cardinal(int(m[2]))}"


def _short_range(m: re.Match[str], place: TokenContext) -> str:
    """ "8a-5p" → "eight a m to five p m"."""
    return f"{cardinal(int(m[1]))} .{m[2]} .m to {cardinal(int(m[3]))} .{m[4]} .m"


def _military(m: re.Match[str], place: TokenContext) -> str:
    """ "0600 hours" → "zero six hundred hours"."""
    hour, minute = m["hour"], int(m["minute"])
    head = f"zero {ONES[int(hour[1])]}" if hour[0] == "0" else cardinal(int(hour))
    tail = "hundred" if not minute else f"{'zero ' if minute < 10 else ''}{cardinal(minute)}"
    return f"{head} {tail} hours"


def _always(m: re.Match[str], place: TokenContext) -> str:
    return "twenty four seven"


def _half_alone(m: re.Match[str], place: TokenContext) -> str:
    return letters(m[0]) + _final(m, place)


def _zone_alone(m: re.Match[str], place: TokenContext) -> str:
    return zone(m[0]).strip()


PIECE = rf"\d{{1,4}}\s?{SPAN}(?![a-z])"
RULES: list[Rule] = [
    rule(
        "time",
        "0",
        rf"(?P<hour>{HM})(?P<mark>:)(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?!\d|:\d|\.\d)(?P<half>{HALF})?(?:"
        rf"\s?h(?![\w]))?{ZONE}",
        _time,
    ),
    rule(
        "time",
        "0",
        rf"(?P<hour>1[0-2]|0?[1-9])(?:(?P<mark>\.)(?P<minute>[0-5]\d))?(?P<second>)(?P<half>{HALF}){ZONE}",
        _time,
    ),
    rule(
        "time",
        "0",
        rf"(?P<hour>{HM})(?:[:.](?P<minute>[0-5]\d))?(?P<half>{HALF})?{DASH}"
        rf"(?P<hour2>{HM})(?:[:.](?P<minute2>[0-5]\d))?(?![\d:]|[.,]\d)(?P<half2>{HALF})?{ZONE}",
        lambda m, place: None if "." in m[0] and not m["half2"] else _range(m, place),
    ),
    rule(
        "time",
        "0",
        r"(?:(?P<hours>\d{1,2}):)?(?P<minute>\d{1,2}):(?P<second>[0-5]\d)\.(?P<part>\d{1,3})(?!\d)",
        _running,
    ),
    rule("time", "0", rf"{PIECE}(?:,?\s?(?:and\s)?{PIECE}){{1,4}}", _duration),
    rule("time", "0", r"(\d{1,2})\s?h\s?([0-5]\d)(?![\w.])", _hours),
    rule("time", "0", r"(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)\s?(?:hours|hrs)\b", _military),
    rule("time", "0", r"(\d{1,2})([ap])[-–](\d{1,2})([ap])(?!\w)", _short_range),
    rule("time", "0", r"24[/-]7(?![\d/])", _always),
    rule("time", "a", r"(?<!\w)(?:[ap]\.\s?m\.|[AP]\.\s?M\.)", _half_alone),
    rule("time", "a", r"(?<!\w)(?:UTC|GMT)[+-]\d{1,2}(?::\d\d)?(?!\d)", _zone_alone),
]
