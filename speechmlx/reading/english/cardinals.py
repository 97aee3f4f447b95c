"""Plain numbers: cardinals, decimals, ordinals, years, ranges, strings of digits after a keyword."""

from __future__ import annotations

import re

from speechmlx.reading.english.amounts import AMOUNT, DASH, NUMBER, amount
from speechmlx.reading.english.context import DEVICE, after_keyword, is_plural
from speechmlx.reading.english.currencies import MAGNITUDES
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import cardinal, digits, number, ordinal, pairs, plural, year

SIGN = r"(?:(?<![\w.,)%°/\"'′″])[-−+]|(?<![^\s(])–)"
CODE = re.compile(
    r"\b(?:cvv|cvc|plate|plates|conf\.|code|codes|pin|pins|passcode|password|passwords|zip|zipcode|postcode"
    r"|postal code|extension|ext\.?|account"
    r"|acct"
    r"|card|serial|tracking|confirmation|reference|ref|order|invoice|ticket|booking|case|id|isbn|sku|upc|otp|pnr|iban"
    r"|routing|policy|license|licence|vin|imei|member|combination|combo|dial|text|call|press|lock|key|badge|passport"
    r"|ends in|ending in)"
    r"(?:\s+(?:number|no\.?|code|#|is|was|are|of|ending in|ends in|num\.?|card|phone))*\s*[:#=-]*\s*$",
    re.IGNORECASE,
)
YEAR = re.compile(
    r"\b(?:in|since|by|until|till|from|before|after|during|year|years|circa|pre|post|mid|around|summer|winter|spring"
    r"|fall|autumn|of|"
    r"late|early|mid|ca\.|c\.|©|copyright|class of|and|to|through|back in|the|model)[\s-]+$",
    re.IGNORECASE,
)
MODEL = re.compile(
    r"\b(?:flight\s+[A-Z\d]{2}|room|suite|apartment|apt|flight|boeing|airbus|bus|route|highway|interstate|unit|gate"
    r"|channel|model|area|"
    r"form|locker|studio|series|train|exit|rtx|gtx|radeon|ryzen|geforce|rx|nikon|canon|http|error|port|status|porsche"
    r"|bmw|peugeot|title|hwy"
    r"|rm|"
    r"ste)\.?\s+$",
    re.IGNORECASE,
)
COUNTABLE = frozenset("of more times other different new or to million thousand hundred".split())
ACRONYM = re.compile(r"(?<!\w)[A-Z]{2,5}\s$")
EQUATION = re.compile(r"[=<>≤≥≈+×÷*^]\s*$")
SUMMED = re.compile(r"\s*[=+×÷*^<>≤≥≈]")
MAGNITUDE = r"hundred|thousand|million|billion|trillion|quadrillion|lakh|crore"


def _code(m: re.Match[str], place: TokenContext) -> str | None:
    """Digits after a keyword, one by one: "PIN is 4821"."""
    if len(m[0]) < 3 or is_plural(place.word_after(m.end())) or place.word_after(m.end()) in COUNTABLE:
        return None
    return digits(m[0]) if after_keyword(place, CODE) else None


def _code_groups(m: re.Match[str], place: TokenContext) -> str | None:
    """Groups of digits after a keyword: "code 482-913"."""
    return " , ".join(digits(g) for g in re.findall(r"\d+", m[0])) if after_keyword(place, CODE) else None


def _whole(m: re.Match[str], place: TokenContext) -> str:
    """A run of digits: a code, a year, a model or a cardinal, by what stands around it."""
    text, before = m[0], place.before()
    if len(text) > 9 and text.strip("0") and not text.endswith("000"):
        return digits(text)
    if MODEL.search(before) and len(text) in (3, 4):
        return pairs(text)
    if len(text) == 4 and ACRONYM.search(before) and text[0] != "0" and not is_plural(place.word_after(m.end())):
        return pairs(text)
    if len(text) == 4 and text[0] in "12" and _is_year(text, before, place, m.end()):
        return year(int(text), place.british)
    return number(text, place.british)


def _is_year(text: str, before: str, place: TokenContext, end: int) -> bool:
    if EQUATION.search(before) or SUMMED.match(place.text, end):
        return False
    if YEAR.search(before):
        return True
    if text.endswith("00") and text[1] != "0":
        return True
    return "1100" <= text < "2100" and not is_plural(place.word_after(end))


def _number(m: re.Match[str], place: TokenContext) -> str:
    return amount(m[0], place.british).words


def _signed(m: re.Match[str], place: TokenContext) -> str:
    said = amount(m[0], place.british).words
    return said


def _magnitude(m: re.Match[str], place: TokenContext) -> str:
    low = f"{amount(m['from'], place.british).words} to " if m["from"] else ""
    scale = MAGNITUDES[m["scale"].lower()]
    return f"{low}{amount(m['amount'], place.british).words} {scale}{' plus' if m['plus'] else ''}"


def _plus(m: re.Match[str], place: TokenContext) -> str:
    return f"{_either(m['amount'], place)} plus"


def _either(text: str, place: TokenContext) -> str:
    """An end of a range: a year or a number."""
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text):
        return year(int(text), place.british)
    return amount(text, place.british).words


def _range(m: re.Match[str], place: TokenContext) -> str | None:
    low, high = m["low"], m["high"]
    if re.match(r"\s?=", place.after(m.end())) or EQUATION.search(place.before()):
        return None
    if low == high:
        return f"{number(low, place.british)} {number(high, place.british)}"
    if re.fullmatch(r"7\d7-\d{1,3}", m[0]):
        return f"{pairs(low)} {pairs(high)}"
    if len(low) == 3 and low.isdecimal() and high.isdecimal() and MODEL.search(place.before()):
        return f"{pairs(low)} {pairs(high)}"
    if "−" in m[0]:
        return None
    spaced = re.search(r"\s[-−]\s", m[0])
    if spaced and not re.search(
        r"(?i)\b(?:pages?|pp?\.|ages?|from|between|lines?|rows?|years?|chapters?)\s+$", place.before()
    ):
        return None
    if re.fullmatch(r"1\d{3}|20\d\d", low) and len(high) == 2 and int(high) > int(low[2:]):
        return f"{year(int(low), place.british)} to {cardinal(int(high))}"
    return f"{_either(low, place)} to {_either(high, place)}"


def _digits_apart(m: re.Match[str], place: TokenContext) -> str | None:
    """Groups of digits with dashes: "4-8-2" → "four eight two"."""
    groups = re.findall(r"\d+", m[0])
    said = (number(g, place.british) if len(g) < 3 and not g.startswith("0") else digits(g) for g in groups)
    return " , ".join(said) if any(len(g) > 1 for g in groups) else digits(m[0])


def _team(m: re.Match[str], place: TokenContext) -> str:
    """ "49ers" → "forty niners"."""
    said = number(m[1])
    return f"{said}rs" if said.endswith("e") else f"{said}ers"


def _letter_range(m: re.Match[str], place: TokenContext) -> str | None:
    """ "A-Z" → "a to z"."""
    return f"{letters(m[1])} to {letters(m[2])}" if m[1] < m[2] else None


def _ordinal(m: re.Match[str], place: TokenContext) -> str:
    text = re.sub(r"\D", "", m["number"])
    if len(text) > 30:
        return digits(text)
    value = int(text)
    words = ordinal(value, place.british)
    return plural(words) if m["many"] else words


def _ordinal_range(m: re.Match[str], place: TokenContext) -> str:
    return f"{ordinal(int(m[1]), place.british)} to {ordinal(int(m[2]), place.british)}"


def _plural_number(m: re.Match[str], place: TokenContext) -> str:
    """ "747s" → "seven forty sevens", "5's" → "fives"."""
    if DEVICE.search(place.before()):
        return f"{number(m[1])} .s"
    if set(m[1]) <= set("10,") and m[1][0] == "1" and m[1].count("1") == 1:
        return plural(number(m[1]).removeprefix("one "))
    return plural(pairs(m[1]) if len(m[1]) > 2 and "," not in m[1] else number(m[1]))


RULES: list[Rule] = [
    rule("digits", "0", r"\d{3,19}(?![\d.,]\d)(?![^\W_])", _code),
    rule("digits", "0", r"\d{1,6}(?:-\d{1,6}){2,8}(?![\w-])", _digits_apart),
    rule("digits", "0", r"\d{2,6}(?:[- ]\d{2,6}){1,6}(?![\w-]|[.,]\d| \d)", _code_groups),
    rule("range", "0", rf"(?P<low>{AMOUNT}){DASH}(?P<high>{AMOUNT})(?![-–—]?[\d])(?![^\W_])", _range),
    rule("cardinal", "0", r"\d{1,100}", _whole),
    rule("range", "a", r"(?<![\w-])([A-Z])[-–—]([A-Z])(?![\w-]|\.\w)", _letter_range),
    rule("decimal", "0.", NUMBER, lambda m, place: None if m[0].isdecimal() else _number(m, place)),
    rule("decimal", "-−+–", rf"{SIGN}{NUMBER}(?:(?![^\W_])|(?=[kKmM]\b))", _signed),
    rule(
        "magnitude",
        "0.-−+",
        rf"(?:(?P<from>{AMOUNT}){DASH})?(?P<amount>{SIGN}?{AMOUNT})(?:[ -](?P<scale>(?i:{MAGNITUDE}))\b)(?P<plus>\+)?",
        _magnitude,
    ),
    rule(
        "magnitude",
        "0.-−+",
        rf"(?:(?P<from>{AMOUNT}){DASH})?(?P<amount>{SIGN}?{AMOUNT})(?P<scale>[kKM]|bn|tn|mn)(?![\w])(?P<plus>\+)?",
        _magnitude,
    ),
    rule("cardinal", "0", rf"(?P<amount>{NUMBER})\+(?=[\s,.;:!?)]|$)(?!\s?[\d(])", _plus),
    rule(
        "ordinal",
        "0",
        r"(?P<number>\d{1,3}(?:,\d{3}){1,9}|\d{1,30})(?i:st|nd|rd|th)(?P<many>s)?(?![^\W_])",
        _ordinal,
    ),
    rule("ordinal", "0", rf"(\d{{1,9}})(?i:st|nd|rd|th)?{DASH}(\d{{1,9}})(?i:st|nd|rd|th)(?![^\W_])", _ordinal_range),
    rule("decimal", "~", r"~\s?(?=[$€£]?\d)", lambda m, place: "about"),
    rule("cardinal", "0", r"(\d{1,3})ers(?![^\W_])", _team),
    rule("cardinal", "0", r"(\d{1,3}(?:,\d{3}){1,3}|\d{1,9})['’]?s(?![^\W_])", _plural_number),
]
