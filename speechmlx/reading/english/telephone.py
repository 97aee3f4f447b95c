"""Telephone numbers by their shapes in many countries, and other digits that stand in groups: cards, IPs, ISBNs."""

from __future__ import annotations

import re

from speechmlx.reading.english.context import after_keyword, is_plural
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import cardinal, digits, pairs

GAP = r"[ \u00a0.\-‐‑–/]"
END = r"(?![\w]|[.,/-]\d| \d)"
EXTENSION = r"(?:,?\s?(?:x|ext\.?|extension)\s?(?P<extension>\d{1,6}))?"
CALLED = re.compile(
    r"\b(?:call|phone|telephone|tel|dial|text|fax|mobile|cell|cellphone|whatsapp|ring|contact|hotline|helpline|sms|"
    r"number|reach|landline|office|home|line)(?:\s+(?:me|us|him|her|them|number|no|is|was|at|on|the|my|our|of))*"
    r"\s*[.:#]?\s*$",
    re.I,
)
AMERICAN = rf"(?:\+?1{GAP}?)?(?:\(\d{{3}}\)\s?|\d{{3}}{GAP})\d{{3}}{GAP}\d{{4}}"
SHAPES = "|".join(
    shape.replace(" ", GAP)
    for shape in (
        r"\d{3}[-‐‑–]\d{4}",
        r"\(\d{3}\)\d{7}",
        r"1[3-9]\d \d{4} \d{4}",
        r"\d{5} \d{5}",
        r"[35689]\d{3} \d{4}",
        r"1[38]00 \d{3} \d{3}",
        r"8 \(?\d{3}\)? \d{3} \d\d \d\d",
        r"\(\d{2,5}\)\s?9?\d{3,4} \d{3,4}",
    )
)
LEADING_ZERO = rf"\(?0\d{{1,5}}\)?(?:{GAP}\d{{2,8}}){{1,5}}"
INTERNATIONAL = rf"(?:\+|\b00)\d{{1,3}}(?:{GAP}?\(?\d{{1,5}}\)?){{2,7}}"
ANY = rf"\d{{2,4}}(?:{GAP}\d{{2,5}}){{1,5}}"
WORDED = r"1-(?P<area>8\d\d)-(?P<word>[A-Z]{4,12}|[A-Z]{2,6}-[A-Z]{2,6})"
CARD = r"\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|\d{4}[ -]\d{6}[ -]\d{5}"
GROUPS_OF = re.compile(r"\d+|\+")
TELEPHONE = range(7, 16)


def _spoken(text: str) -> str:
    """The digits of each group, with a pause between groups; "800" is said as a number."""
    said = []
    for group in GROUPS_OF.findall(text):
        if group == "+":
            said.append("plus")
        else:
            hundred = group[1:] == "00" and len(group) == 3 and group[0] != "0"
            said.append(f"{cardinal(int(group))} ," if hundred else f"{digits(group)} ,")
    return " ".join(said).removesuffix(" ,")


def _telephone(m: re.Match[str], place: TokenContext) -> str | None:
    text = m["number"]
    if sum(c.isdecimal() for c in text) not in TELEPHONE:
        return None
    extension = f" extension {digits(m['extension'])}" if m["extension"] else ""
    return _spoken(text) + extension


def _called(m: re.Match[str], place: TokenContext) -> str | None:
    """Any groups of digits after "call", "phone", ..."""
    return _telephone(m, place) if after_keyword(place, CALLED) else None


def _zero(m: re.Match[str], place: TokenContext) -> str | None:
    """Groups that begin with a zero; a date or a time is none."""
    if re.match(r"0?\d[./-]\d{1,2}[./-]\d{2,4}$", m["number"]):
        return None
    return _telephone(m, place)


def _worded(m: re.Match[str], place: TokenContext) -> str:
    words = " ".join(f"~{w.lower()}" for w in m["word"].split("-"))
    return f"one {cardinal(int(m['area']))} {words}"


def _emergency(m: re.Match[str], place: TokenContext) -> str | None:
    return digits(m[0]) if after_keyword(place, CALLED) and not is_plural(place.word_after(m.end())) else None


def _grouped(m: re.Match[str], place: TokenContext) -> str:
    """Cards, social security numbers, long postal codes: digit by digit, group by group."""
    return " , ".join(digits(group) for group in re.findall(r"\d+", m[0]))


def _ip(m: re.Match[str], place: TokenContext) -> str | None:
    parts = re.findall(r"\d+", m["ip"])
    if any(int(part) > 255 for part in parts):
        return None
    said = " dot ".join(digits(part) if len(part) > 2 else cardinal(int(part)) for part in parts)
    if m["port"] and m["mark"] == ":":
        return f"{said} port {pairs(m['port'])}"
    if m["port"]:
        return f"{said} slash {cardinal(int(m['port']))}"
    return said


def _isbn(m: re.Match[str], place: TokenContext) -> str:
    groups = [f"{digits(g)}{' .x' if g.endswith('X') else ''}" for g in m[1].replace(" ", "-").split("-")]
    return f".i .s .b .n {' , '.join(groups)}"


def _mac(m: re.Match[str], place: TokenContext) -> str | None:
    if not re.search("[A-Fa-f]", m[0]):
        return None
    return " , ".join(" ".join(digits(c) or letters(c) for c in pair) for pair in re.split("[:-]", m[0]))


RULES: list[Rule] = [
    rule("telephone", "0+(", rf"(?P<number>{INTERNATIONAL}){EXTENSION}{END}", _telephone),
    rule("telephone", "0+(", rf"(?P<number>{AMERICAN}){EXTENSION}{END}", _telephone),
    rule("telephone", "0(", rf"(?P<number>{SHAPES}){EXTENSION}{END}", _telephone),
    rule("telephone", "0(", rf"(?P<number>{LEADING_ZERO}){EXTENSION}{END}", _zero),
    rule("telephone", "0", rf"(?P<number>{ANY}){EXTENSION}{END}", _called),
    rule("telephone", "0", WORDED, _worded),
    rule("telephone", "0", r"\d{3}(?![\w-]|[.,]\d)", _emergency),
    rule("digits", "0", rf"(?:{CARD}){END}", _grouped),
    rule("digits", "0", rf"(?:\d{{3}}-\d\d-\d{{4}}|\d{{5}}-\d{{4}}){END}", _grouped),
    rule(
        "address",
        "0",
        r"(?P<ip>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?:(?P<mark>[:/])(?P<port>\d{1,5}))?(?![\w]|\.\d)",
        _ip,
    ),
    rule("digits", "a", r"ISBN(?:-1[03])?:?\s?((?:97[89][- ]?)?\d{1,5}(?:[- ]?\d{1,7}){1,3}[- ]?[\dX])(?!\w)", _isbn),
    rule("digits", "0a", r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?!\w)", _mac),
]
