"""Two numbers with a slash or a colon: fractions, ratings, blood pressure, ratios, odds, metres of music."""

from __future__ import annotations

import re

from speechmlx.reading.english.amounts import FRACTION, MIXED, NUMBER, after_article, amount, fraction
from speechmlx.reading.english.grammar import Rule, TokenContext, rule
from speechmlx.reading.english.numbers import cardinal, number

RATED = re.compile(
    r"\b(?:rated?|ratings?|scored?|scores|got|gave|gives?|give it|a solid|an easy|review|reviews|stars|grade|graded"
    r"|mark|"
    r"marks|step|page|slide|part|question|pain|level|passed|won|missed|answered)(?:\s+(?:it|is|of|a|an|me|him|her|them|"
    r"this|at|was|us))*\s*[:=]?\s*$",
    re.I,
)
RATING = re.compile(r"\s(?:stars?|points?|rating|correct|on|would|people|dentists|customers|users|reviews?)\b", re.I)
METRE = re.compile(
    r"\s(?:time|march|waltz|jig|reel|polka|swing|groove|tempo|feel|song|tune|piece|bars?|meter|metre|signature|beat"
    r"|rhythm)\b",
    re.I,
)
ODDS = re.compile(r"\b(?:odds|at|bet|favou?rite|price)\s+(?:of\s+|are\s+)?$", re.I)
PRESSURE = re.compile(r"\b(?:blood pressure|bp|pressure|reading)\b[^.?!]{0,30}$", re.I)


def _slash(m: re.Match[str], place: TokenContext) -> str | None:
    """ "a/b" between numbers, by what stands around and by the numbers themselves."""
    top, bottom = m["top"], m["bottom"]
    before, after = place.before(), place.after(m.end())
    counted = bottom in ("4", "8") and re.search(r"\bin\s$", before) and re.match(r"\s*(?:$|[,.;)])", after)
    if (METRE.match(after) and len(bottom) < 3) or counted:
        return f"{number(top)} {number(bottom)}"
    rated = bottom in ("4", "4.0", "5", "5.0", "6", "10", "10.0", "20", "100")
    if (("." in top or "." in bottom) and rated) or RATING.match(after) or RATED.search(before):
        return f"{number(top)} out of {number(bottom)}"
    if not (top.isdecimal() and bottom.isdecimal()) or len(top) > 9 or len(bottom) > 9:
        return f"{number(top)} over {number(bottom)}"
    high, low = int(top), int(bottom)
    if high == low or (low == high + 1 and low > 4 and re.search(r"[A-Z]", place.word_before())):
        even = high != low or high in (0, 1, 20, 50)
        return f"{number(top)} {'' if even else 'out of '}{number(bottom)}"
    added = re.search(r"(?:\d/\d{1,3}|[½¼¾⅓⅔])\s?[-+−×*]\s?$", before)
    if re.match(r"\s?=", after) and "." not in top + bottom and not added:
        return f"{number(top)} divided by {number(bottom)}"
    if ODDS.search(before):
        return f"{number(top)} to {number(bottom)}"
    if (high > 60 and PRESSURE.search(before)) or (70 <= high <= 220 and 40 <= low <= 130 and high > low):
        return f"{cardinal(high, place.british)} over {cardinal(low, place.british)}"
    if (
        low in (10, 5, 100)
        and high <= low
        and (high, low) not in ((1, 10), (1, 100), (3, 10), (1, 5), (2, 5), (3, 5), (4, 5))
    ):
        return f"{number(top)} out of {number(bottom)}"
    if high + low == 100:
        return f"{number(top)} {number(bottom)}"
    if low in (20, 50, 100, 1000) and 10 <= high < low:
        return f"{number(top)} out of {number(bottom)}"
    if low == 1 and high > 1:
        return f"{number(top)} to {number(bottom)}"
    return None


def _fraction(m: re.Match[str], place: TokenContext) -> str | None:
    top, bottom = re.split("[/⁄]", m[0])
    if int(bottom) == 0 or (len(top) > 1 and top[0] == "0"):
        return f"{number(top)} over {number(bottom)}"
    said = after_article(amount(m[0], place.british), place)
    return said.removesuffix("s") if re.match(r"-[a-z]", place.after(m.end())) else said


def _mixed(m: re.Match[str], place: TokenContext) -> str:
    said = after_article(amount(m[0], place.british), place)
    if re.match(r"-[a-z]", place.after(m.end())):
        return said.removesuffix("s")  # "¾-ton"
    if m[0] in ("½", "1/2") and place.word_after(m.end()) in ("a", "an", "the", "of"):
        return "half"
    return said


def _ratio(m: re.Match[str], place: TokenContext) -> str:
    if m[0].count(":") == 1 and re.fullmatch(r"(?:2[5-9]|[3-9]\d):[0-5]\d", m[0]):
        minute, second = (int(part) for part in m[0].split(":"))
        if minute + second != 100:
            return f"{cardinal(minute)} {'oh ' if 0 < second < 10 else ''}{cardinal(second) if second else 'minutes'}"
    parts = [number(part, place.british) for part in m[0].split(":")]
    return " ".join(parts) if len(set(parts)) == 1 and len(parts[0]) > 3 and parts[0] != "one" else " to ".join(parts)


def _parts(m: re.Match[str], place: TokenContext) -> str:
    """ "3/8ths" → "three eighths"."""
    return fraction(int(m[1]), int(m[2]), place.british)


def _many(m: re.Match[str], place: TokenContext) -> str:
    """A chain: "10/10/80" → "ten ten eighty"."""
    return " ".join(number(part) for part in m[0].split("/"))


RULES: list[Rule] = [
    rule(
        "ratio",
        "0.",
        rf"(?P<top>{NUMBER})\s?/\s?(?P<bottom>{NUMBER})(?![\d/]|[.,]\d)(?![^\W_])",
        lambda m, place: None if " " in m[0] and "/ " not in m[0] else _slash(m, place),
    ),
    rule("fraction", "0", rf"{FRACTION}(?![^\W_])", _fraction),
    rule("fraction", "0" + "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒", rf"(?:{MIXED}|[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])", _mixed),
    rule("score", "★⭐", r"(?<=[\d½])\s?[★⭐]{1,5}", lambda m, place: "stars"),
    rule("fraction", "0", r"(\d{1,3})/(\d{1,3})(?:ths|rds|nds|th|rd|nd)(?![^\W_])", _parts),
    rule("ratio", "0", r"\d{1,4}(?:\.\d{1,3})?(?::\d{1,5}(?:\.\d{1,3})?){1,4}(?![\d:]|[^\W_])", _ratio),
    rule("score", "0", r"\d{1,3}(?:/\d{1,3}){2,5}(?![\d/])", _many),
]
