"""Money: amounts, ranges, magnitudes, cents, per-unit prices, and prices that stand before their noun."""

from __future__ import annotations

import re

from speechmlx.reading.english.amounts import AMOUNT, DASH, GROUPED, amount, is_fraction
from speechmlx.reading.english.context import attributive
from speechmlx.reading.english.currencies import AFTER, CENTS, CODES, CURRENCIES, MAGNITUDES, SIGNS, Currency
from speechmlx.reading.english.grammar import Rule, TokenContext, either, rule
from speechmlx.reading.english.numbers import cardinal, number, plural
from speechmlx.reading.english.units import PER, per_unit

SIGN = either(" ".join(SIGNS))
CODE = either(" ".join(CODES))
BACK = either(AFTER)
WORDED = "hundred|thousand|million|billion|trillion|quadrillion|lakh|crore"
MAGNITUDE = rf"(?: ?(?i:mio|mil|mm|mn|bn|trn|tn|cr)|[ -](?i:{WORDED})|[kKmMbBtT])(?![^\W_])"
EUROPEAN = r"\d{1,3}(?:\.\d{3}){1,6},\d\d(?!\d)|\d{1,6},\d\d(?!\d|,)|\d{1,3}(?:\.\d{3}){2,6}(?!\d|,)"
MONEY = rf"(?:{EUROPEAN}|{AMOUNT})"
MINUS = r"(?:(?<![\w.,)%])[-−]\s?)"
PLUS = r"(?P<plus>\+(?=[\s,.;:!?)]|$))?"
UNIT = rf"(?:(?:\s?/\s?|\s(?:per)\s)(?P<per>{PER})(?![\w/]))?"
RANGE = rf"(?:{DASH}(?:SIGN\s?)?(?P<high>{MONEY})(?P<more>{MAGNITUDE})?)?"
SIGN_RANGE, CODE_RANGE = RANGE.replace("SIGN", f"(?:{SIGN})"), RANGE.replace("SIGN", f"(?:{CODE})")


def _plain(text: str) -> str:
    """An amount in the English form: "1.234,50" → "1234.50"."""
    if re.fullmatch(rf"(?:{GROUPED})(?:\.\d+)?", text) and not re.fullmatch(r"\d{1,3},\d\d", text):
        return text
    if re.fullmatch(EUROPEAN, text):
        return text.replace(".", "").replace(",", ".")
    return text


def _sum(text: str, magnitude: str | None, currency: Currency, place: TokenContext, single: bool) -> str:
    """One sum: "3.50" → "three dollars and fifty cents"; `single`: it stands before its noun."""
    text = _plain(text)
    many = currency.one if single else currency.many
    if magnitude:
        return f"{amount(text, place.british).words} {MAGNITUDES[magnitude.strip(' -').lower()]} {many}"
    whole, _, part = text.partition(".")
    if is_fraction(text) or len(part) != 2 or not currency.cent:
        number = amount(text if part.strip("0") else whole, place.british)
        return f"{number.words} {currency.one if number.single and not number.fraction else many}"
    units = int("".join(c for c in whole if c.isdecimal())[:40] or "0")
    said = []
    if units or not int(part):
        said.append(f"{cardinal(units, place.british)} {currency.one if units == 1 else many}")
    if int(part):
        said.append(f"{cardinal(int(part))} {currency.cent if int(part) == 1 or single else currency.cents}")
    return " and ".join(said)


def _money(m: re.Match[str], place: TokenContext) -> str | None:
    groups = m.groupdict()
    currency = CURRENCIES[groups.get("sign") or groups["code"]]
    each = re.match(r"-an?-", place.after(m.end())) is not None
    single = each or (not groups.get("per") and attributive(place, m.end()))
    said = "minus " if groups.get("minus") else "plus " if groups.get("lead") else ""
    low, high = m["low"], m["high"]
    if high:
        said += f"{_range_low(low, m['magnitude'], m['more'], currency, place)} to "
        said += _sum(high, m["more"] or None, currency, place, single)
    else:
        said += _sum(low, m["magnitude"], currency, place, single)
    if groups.get("plus"):
        said += " plus"
    if groups.get("per"):
        unit = per_unit(groups["per"], place.british)
        said += f" {unit}" if unit == "each" else f" per {unit}"
    return said


def _range_low(low: str, magnitude: str | None, more: str | None, currency: Currency, place: TokenContext) -> str:
    """The lower end of a range: without the unit, which the upper end says, unless it has cents."""
    plain = _plain(low)
    if magnitude and magnitude.lower() != (more or "").lower():
        return f"{amount(plain, place.british).words} {MAGNITUDES[magnitude.strip(' -').lower()]}"
    if re.search(r"\.\d\d$", plain) and currency.cent and not more:
        return _sum(low, None, currency, place, False)
    return amount(plain, place.british).words


def _cents(m: re.Match[str], place: TokenContext) -> str | None:
    one, many = CENTS[m["sign"]]
    number = amount(m["low"], place.british)
    single = number.single or attributive(place, m.end())
    if m["sign"] == "p" and not place.british:
        return None
    low = f"{amount(m['from'], place.british).words} to " if m["from"] else ""
    per = f" per {per_unit(m['per'], place.british)}".replace("per each", "each") if m["per"] else ""
    return f"{low}{number.words} {one if single and not per else many}{per}"


def _bare_sign(m: re.Match[str], place: TokenContext) -> str:
    """A sign with no amount: "the $ sign"."""
    currency = SIGNS[m[0]]
    return currency.one if place.word_after(m.end()) in ("sign", "symbol", "key") else currency.many


def _signed(m: re.Match[str], place: TokenContext) -> str | None:
    said = _money(m, place)
    return f"minus {said}" if said and m["minus2"] else said


def _round(m: re.Match[str], place: TokenContext) -> str:
    """ "$1,000s" → "thousands of dollars"; "$20s" → "twenties"."""
    said = plural(number(m["low"]).removeprefix("one "))
    if place.after(m.end()).startswith(" of") or m["low"][0] != "1":
        return said
    return f"{said} of {SIGNS[m['sign']].many}"


RULES: list[Rule] = [
    rule("money", "$£€", r"(?P<sign>[$£€])(?P<low>\d{1,3}(?:,\d{3}){0,3})s(?!\w)", _round),
    rule(
        "money",
        "-−+" + "".join(sorted({sign[0] for sign in SIGNS if not sign[0].isalpha()})) + "a",
        rf"(?<![A-Za-z])(?:(?P<minus>{MINUS})|(?P<lead>\+))?(?P<sign>{SIGN})\s?(?P<minus2>[-−])?(?P<low>{MONEY})"
        rf"(?P<magnitude>{MAGNITUDE})?{SIGN_RANGE}{UNIT}{PLUS}",
        lambda m, place: None if m["sign"] in ("Ft", "kr") and m["minus2"] else _signed(m, place),
    ),
    rule(
        "money",
        "0.-−",
        rf"(?P<minus>{MINUS})?(?P<low>{MONEY})(?P<magnitude>{MAGNITUDE})?(?:{DASH}(?P<high>{MONEY})"
        rf"(?P<more>{MAGNITUDE})?)?\s?(?P<sign>{BACK})(?![\w\d]){UNIT}",
        lambda m, place: None if m["sign"] == "Ft" else _money(m, place),
    ),
    rule(
        "money",
        "0.-−",
        rf"(?P<minus>{MINUS})?(?P<low>{MONEY})(?P<magnitude>{MAGNITUDE})?(?:{DASH}(?P<high>{MONEY})"
        rf"(?P<more>{MAGNITUDE})?)?\s?(?P<code>{CODE})\b{UNIT}",
        _money,
    ),
    rule(
        "money",
        "a",
        rf"(?<![\w/])(?P<code>{CODE})\s?(?P<minus>[-−])?(?P<low>{MONEY})(?P<magnitude>{MAGNITUDE})?"
        rf"{CODE_RANGE}{UNIT}",
        _money,
    ),
    rule("money", "0", rf"(?:(?P<from>{AMOUNT}){DASH})?(?P<low>{AMOUNT})\s?(?P<sign>¢){UNIT}", _cents),
    rule("money", "0", rf"(?P<from>)(?P<low>\d{{1,2}})(?P<sign>p)(?![\w]){UNIT}", _cents),
    rule("money", "".join(s for s in SIGNS if len(s) == 1), rf"(?:{SIGN})(?![\w$])", _bare_sign),
]
