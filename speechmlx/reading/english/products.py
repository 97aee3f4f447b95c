"""Letters and digits in one token (H.264, A4, RTX4090, USB-C, v2.1), letters with "&" (R&D), versions, grades."""

from __future__ import annotations

import re

from speechmlx.reading.abbreviations import find
from speechmlx.reading.english.capitals import known
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.numbers import cardinal, digits, number, pairs, plural

VERSIONED = re.compile(
    r"\b(?:version|versions|ver\.?|python|ios|ipados|macos|watchos|android|ubuntu|java|firmware|release|build|chrome|"
    r"firefox|safari|php|ruby|node|rails|django|kernel|linux|windows|bluetooth|update|patch|swift|go|rust|debian|"
    r"typescript|postgres|postgresql|mysql|openssl)\s+$",
    re.I,
)
NUMBERED = re.compile(r"\d+(?:st|nd|rd|th|s|ers|ST|ND|RD|TH|k|K|M|bn|mn|tn|am|pm|AM|PM)|[12]\d{3}")
KEYS = ("control", "command", "escape")
FLIGHT = re.compile(r"[A-Z]{2}\d{3,4}$")
LETTER_RUN = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)?")
WORDS = frozenset(
    "covid omega formula area air type vitamin boeing apollo alpha beta pro max mini plus ultra iphone ipad galaxy "
    "pixel win mega giga turbo delta sigma carbon iodine route mach super mark group level phase round team zone base "
    "python windows android".split()
)
SPELLED = {"wi": "~wi", "fi": "~fi"}
VOWEL = re.compile(r"[aeiouy]", re.I)
RELEASES = {"beta": "beta", "alpha": "alpha", "rc": ".r .c", "dev": "dev", "preview": "preview", "snapshot": "snapshot",
            "pre": "pre", "post": "post", "final": "final", "stable": "stable", "lts": ".l .t .s"}  # fmt: skip


def run(text: str) -> str:
    """A run of letters or of digits, as it is said in the name of a product."""
    if text[0].isdigit():
        return digits_of(text)
    lower = text.lower()
    if lower in WORDS or (len(text) > 2 and not text.isupper() and VOWEL.search(text)):
        return f"~{text}"
    return letters(text)


def digits_of(text: str) -> str:
    """Digits behind or before letters: "4090" → "forty ninety", "15" → "fifteen", "12700" → one by one."""
    whole, _, part = text.partition(".")
    said = pairs(whole) if len(whole) in (3, 4) else digits(whole) if len(whole) > 4 else number(whole)
    return f"{said} point {digits(part)}" if part else said


def _product(m: re.Match[str], place: TokenContext) -> str | None:
    text = m[0].removesuffix("'s").removesuffix("’s")
    if NUMBERED.fullmatch(text):
        return None
    if re.fullmatch(r"[A-Z]{1,4}\d{1,4}s", text):
        return plural(" ".join(run(part) for part in LETTER_RUN.findall(text[:-1])))
    if FLIGHT.fullmatch(text):
        return f"{letters(text[:2])} {digits(text[2:])}"
    said = " ".join(run(part) for part in LETTER_RUN.findall(text))
    return f"{said}'s" if text != m[0] else said


def _dashed(m: re.Match[str], place: TokenContext) -> str | None:
    """ "USB-C", "F-16", "COVID-19", "R2-D2": the parts by themselves; a word of the dictionary ("T-shirt") is whole."""
    if known(m[0]):
        return None
    if re.search(r"[a-z]-\d+s$|-\d+(?:st|nd|rd|th)$|^\d+[a-z]+-\d+[a-z]+$|^[A-Z]-[A-Z]$", m[0]):
        return None
    if re.fullmatch(r"[A-Z][A-Za-z]{0,3}-\d{2,3}s", m[0]):
        letter, _, digit = m[0][:-1].partition("-")
        return f"{letters(letter) if letter.isupper() else '~' + letter} {plural(digits_of(digit))}"
    said = []
    for part in re.split("[-‐‑]", m[0]):
        key = find(part)
        if key and key.words in KEYS:
            said.append(key.words)
        elif part.isalpha() and len(part) > 1:
            said.append(f"~{part}")
        elif part.isalpha():
            said.append(f".{part.lower()}")
        else:
            said.extend(run(piece) for piece in LETTER_RUN.findall(part))
    return " ".join(said)


def _ampersand(m: re.Match[str], place: TokenContext) -> str:
    """ "R&D" → "r and d"; the ending of "M&M's" stays."""
    parts = re.split(r"\s?&\s?", re.sub("[’]", "'", m[0]))
    return " and ".join(_letters_with_ending(part) for part in parts)


def _letters_with_ending(part: str) -> str:
    stem, mark, ending = part.partition("'")
    if not mark and len(stem) > 1 and stem[-1] == "s" and stem[:-1].isupper():
        stem, ending = stem[:-1], "s"
    said = letters(stem)
    return f"{said}'{ending}" if mark else said + ending


def _codec(m: re.Match[str], place: TokenContext) -> str:
    """ "H.264" → "h two six four"."""
    return f"{letters(m[1])} {digits(m[2])}"


def version(text: str, british: bool = False) -> str:
    """ "1.0.0-beta.2" → "one point zero point zero beta two"."""
    said: list[str] = []
    number_before = False
    for mark, part in re.findall(r"([.+_-]?)([^.+_-]+)", text):
        if part.isdecimal():
            said.append(f"{'point ' if mark == '.' and number_before else ''}{number(part, british)}")
        else:
            said.extend(RELEASES.get(p.lower()) or run(p) for p in LETTER_RUN.findall(part))
        number_before = part.isdecimal()
    return " ".join(said)


def _version(m: re.Match[str], place: TokenContext) -> str | None:
    head = ""
    suffix = re.search(r"[-+]([A-Za-z]+)", m["version"])
    if suffix and suffix[1].lower() not in RELEASES:
        return None
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", m["version"]):
        return None
    if m["v"]:
        head = "version " if m["v"].lower() != "v" or place.word_before().lower() != "version" else ""
    if (
        not head
        and m["version"].count(".") == 1
        and not VERSIONED.search(place.before())
        and not re.search(r"[-+]", m[0])
    ):
        return None
    return head + version(m["version"], place.british)


def _model_plus(m: re.Match[str], place: TokenContext) -> str:
    """ "S23+" → "s twenty three plus"."""
    return f"{run(m[1])} {digits_of(m[2])} plus"


def _standard(m: re.Match[str], place: TokenContext) -> str:
    """ "802.11ac" → "eight oh two point eleven a c"."""
    return f"{pairs(m[1])} point {number(m[2])} {letters(m[3])}".rstrip()


def _hexadecimal(m: re.Match[str], place: TokenContext) -> str | None:
    """Hashes and UUIDs: one by one, group by group."""
    if not re.search(r"\d", m[0]) or not re.search("[a-fA-F]", m[0]):
        return None
    groups = m[0].split("-")
    return " , ".join(" ".join(digits(c) or letters(c) for c in group) for group in groups)


def _grade(m: re.Match[str], place: TokenContext) -> str | None:
    """ "A+", "B-", "Disney+"."""
    if m[2] in "-−" and re.match(r"\s?[\w(]", place.after(m.end())) and place.text[m.end() : m.end() + 1] != " ":
        return None
    if m[2] in "-−" and not re.search(r"\b(?:an?|grade|got|rated?|rating|to|of|or|and)\s$", place.before()):
        return None
    return f"{letters(m[1])} {'plus' if m[2] == '+' else 'minus'}"


def _named_plus(m: re.Match[str], place: TokenContext) -> str:
    return f"~{m[1]} {' '.join('plus' for _ in m[2])}"


def _form(m: re.Match[str], place: TokenContext) -> str:
    """ "401(k)" → "four oh one k"."""
    return f"{pairs(m[1])} {letters(m[2])}"


def _plural_letters(m: re.Match[str], place: TokenContext) -> str:
    """ "3D", "5G", "2B", "4x4s"."""
    return f"{digits_of(m[1])} {letters(m[2])}"


def _postcode(m: re.Match[str], place: TokenContext) -> str:
    """ "SW1A 1AA" → letter by letter."""
    return " ".join(letters(c) or (digits(c) if c.isdecimal() else ",") for c in m[0])


def _one_by_one(m: re.Match[str], place: TokenContext) -> str | None:
    """Long mixed serials: "1Z999AA10123456784"."""
    if len(re.findall(r"[A-Za-z]+|\d+", m[0])) < 3 or not re.search(r"\d.*\d", m[0]):
        return None
    return " ".join(letters(c) or digits(c) for c in m[0])


def _route(m: re.Match[str], place: TokenContext) -> str:
    """ "I-95", "US-101"."""
    return f"{letters(m[1])} {pairs(m[2]) if len(m[2]) > 2 else cardinal(int(m[2]))}"


MIXED = r"(?:[A-Za-z]{1,20}\d{1,12}|\d{1,12}[A-Za-z]{1,20})(?:\d{1,12}+|[A-Za-z]{1,20}+){0,8}"
RULES: list[Rule] = [
    rule("postcode", "a", r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}(?!\w)", _postcode),
    rule("product", "0a", r"(?<![\w])(?=[A-Z\d]{7,40}(?!\w))[A-Z\d]{7,40}", _one_by_one),
    rule("route", "a", r"(?<!\w)(I|US|SR|CR|M|A)-(\d{1,3})(?![\w.-])", _route),
    rule("product", "0a", rf"(?<![^\W_]){MIXED}(?:['’]s)?(?![^\W_])", _product),
    rule("product", "a", r"(?<!\w)([A-Z])\.(\d{3,4})(?!\w)", _codec),
    rule(
        "product",
        "0a",
        r"(?<!\w)(?=[^\s]{0,30}(?:[A-Z]-|-[A-Z\d]))(?:[A-Za-z]{1,12}\d{0,6}[A-Za-z]{0,3}|\d{1,6}[A-Za-z]{1,3})"
        r"[-‐‑](?:[A-Z](?![a-z])[A-Za-z]{0,3}\d{0,6}|\d{1,6}[A-Za-z]{1,3}|[a-z]{2,20}(?<=\b[a-z]{2})(?!))"
        r"(?:-\d{1,4})?(?![\w]|-\w)",
        _dashed,
    ),
    rule("product", "a", r"(?<!\w)[A-Z][-‐‑](?:[a-z]{2,20}|[A-Z][a-z]{2,20})(?![\w'’-])", _dashed),
    rule("product", "a", r"(?<!\w)[A-Z][A-Za-z]{0,14}[-‐‑]\d{1,6}(?![\w.,-]\w|\w)", _dashed),
    rule(
        "letters", "a", r"(?<!\w)(?:[A-Z]{1,3}(?:&[A-Z]{1,3}){1,2}|[A-Z]\s?&\s?[A-Z])(?:['’]?s)?(?![\w&])", _ampersand
    ),
    rule(
        "version",
        "0av",
        r"(?<![\w.])(?P<v>(?i:v(?:er(?:sion)?)?\.?\s?)|)(?P<version>\d{1,4}(?:\.\d{1,6}){0,5}(?:[-+]"
        r"(?:[A-Za-z]{1,10}\d{0,4})(?:[.-]?\d{1,6})?)?"
        r"(?:(?<=\d)(?:a|b|rc)\d{1,3})?)(?![\w]|[./:-]\w)",
        lambda m, place: _version(m, place) if m["v"] or m["version"].count(".") > 1 or "." in m["version"] else None,
    ),
    rule("product", "a", r"(?<!\w)([A-Za-z]{1,12})(\d{1,4})\+(?=[\s.,;:!?)'’]|$)", _model_plus),
    rule("product", "0", r"(\d{3})\.(\d\d)([a-z]{1,2})(?!\w)", _standard),
    rule("product", "0a", r"(?<!\w)[0-9a-fA-F]{4,12}(?:-[0-9a-fA-F]{4,12}){2,6}(?![\w-])", _hexadecimal),
    rule("product", "0a", r"(?<!\w)(?=[a-f]{0,39}\d)(?=\d{0,39}[a-f])[0-9a-f]{8,64}(?!\w)", _hexadecimal),
    rule("grade", "a", r"(?<!\w)([A-F])([+−-])(?![\w+])", _grade),
    rule("product", "a", r"(?<!\w)([A-Za-z]{1,20})(\+{1,2})(?=[\s.,;:!?)'’]|$)", _named_plus),
    rule("product", "0", r"(\d{3,4})\(([a-z])\)", _form),
    rule("product", "0", r"(\d{1,4})([A-LN-Z])s?(?![\w'’&])", _plural_letters),
]
