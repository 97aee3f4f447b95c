"""What Chinese and Japanese share: numerals in Han characters, text without blanks, letters among it, marks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speechmlx.reading.languages.grammar import Context, Recogniser, Say, letters, rule
from speechmlx.reading.languages.numerals import DASH, digits

DIGITS = "零一二三四五六七八九"
UNITS = ("", "十", "百", "千")
MYRIADS = ("", "万", "亿", "兆")
MAX_DIGITS = 16
"""A longer run of digits is read digit by digit."""

HAN = "\u3400-\u4dbf\u4e00-\u9fff々〇"
KANA = "\u3041-\u309fァ-ヺー"
NUMBER = r"(?>\d{1,3}(?:,\d{3}){1,6}(?!\d)|\d{1,80})(?:\.\d{1,20})?"
TO = f"[{DASH}~～〜]"
YEAR_FIRST = r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>0?[1-9]|1[0-2])(?P=s)(?P<d>[0-2]?\d|3[01])(?!\d)"
CLOCK = r"(?P<h{0}>[01]?\d|2[0-4])[:：](?P<min{0}>[0-5]\d)(?:[:：](?P<s{0}>[0-5]\d))?(?!\d)"
SCORE = r"(?P<a>\d{1,3})[:：](?P<b>\d{1,3})(?![\d:：])"
FRACTION = r"(?P<n>\d{1,4})[/⁄](?P<d>\d{1,4})(?![\d/])"
VERSION = r"\d{1,5}(?:\.\d{1,5}){2,5}(?!\d)"
ADDRESS = r"(?:https?://|www\.)?[A-Za-z0-9._%+-]{0,60}@?[A-Za-z0-9-]{1,60}(?:\.[A-Za-z0-9-]{1,60}){0,4}\.[A-Za-z]{2,6}"
ADDRESS += r"(?:/[\w/?#&=.%~+-]{0,200})?"
_MARKS = "，,、,；;：:（(）)［(］)《“》”「“」”『“』”【“】”〈“〉”““””‘“’”(())[(]),,;;::〜—～—"
MARKS = dict(zip(_MARKS[::2], _MARKS[1::2], strict=True)) | {"·": "", "・": ""}

Here = Context[None]


def numeral(number: int, one: str = "一", zero: str = "零") -> str:
    """A number below 10^16 in Han characters.

    `one` is said before 十 within a number, and before 百 and 千; `zero` is said for a gap.
    """
    if number == 0:
        return DIGITS[0]
    sections = []
    while number:
        number, section = divmod(number, 10_000)
        sections.append(section)
    said, gap = "", False
    for power in range(len(sections) - 1, -1, -1):
        section = sections[power]
        if not section:
            gap = gap or bool(said)
            continue
        if said and (gap or section < 1000):
            said += zero
        said += _section(section, one, zero, bool(said)) + MYRIADS[power]
        gap = False
    return said


def _section(section: int, one: str, zero: str, inside: bool) -> str:
    said, gap = "", False
    for power in (3, 2, 1, 0):
        digit = section // 10**power % 10
        if not digit:
            gap = gap or bool(said)
            continue
        said += zero if gap else ""
        gap = False
        bare = digit == 1 and power and (not one or (power == 1 and not said and not inside))
        said += ("" if bare else DIGITS[digit]) + UNITS[power]
    return said


def one_by_one(text: str, table: Sequence[str] = DIGITS) -> str:
    return "".join(table[int(c)] for c in text)


def split(text: str) -> tuple[str, str]:
    """The digits before and after the point of a text that NUMBER matches."""
    whole, _, fraction = text.partition(".")
    return digits(whole), digits(fraction)


def _word(m: re.Match[str], here: Here) -> str:
    """Latin letters: an acronym is spelled, a word is left as it is written."""
    word = m[0]
    return letters(word) if len(word) == 1 or (word.isupper() and len(word) < 6) else word


def _stops(m: re.Match[str], here: Here) -> str:
    run = m[0]
    if any(c in run for c in "?？!！"):
        return "?" if "?" in run or "？" in run else "!"
    return "…" if "…" in run or run.count(".") > 2 else "."


def _quote(m: re.Match[str], here: Here) -> str:
    return "”" if here.quoted else "“"


def address(point: str, at: str, signs: dict[str, str]) -> Say[None]:
    """The function that says an address of the web."""

    def say(m: re.Match[str], here: Here) -> str | None:
        text = re.sub("^https?://", "", m[0]).rstrip("/")
        if "@" not in text and "/" not in m[0] and not re.match(r"[A-Za-z]", text):
            return None
        names = {".": point, "@": at, **signs}
        said = []
        for part in re.findall(r"[A-Za-z]+|\d+|[^\w]|_", text):
            short = part.isalpha() and (len(part) == 1 or part.lower() in ("www", "cn", "jp", "uk"))
            said.append(letters(part) if short else part if part.isalpha() else names.get(part, ""))
            if part.isdecimal():
                said[-1] = " ".join(names.get(c, c) for c in part)
        return " ".join(said)

    return say


RULES: list[Recogniser[None]] = [
    rule("han", "a", f"[{HAN}{KANA}]{{1,200}}", lambda m, here: m[0]),
    rule("word", "a", r"[A-Za-z\u00c0-\u024f]{1,60}(?:['’-][A-Za-z\u00c0-\u024f]{1,30}){0,4}", _word),
    rule("other", "a", rf"[^\W\d_A-Za-z{HAN}{KANA}]{{1,60}}", lambda m, here: m[0]),
    rule("mark", ".!?…。！？．", r"[.!?…。！？．]{1,80}", _stops),
    rule("mark", "".join(MARKS), f"[{re.escape(''.join(MARKS))}]", lambda m, here: MARKS[m[0]]),
    rule("mark", "—–-―", r"[—–―]{1,80}|-{2,80}|(?<=\s)-(?=\s)", lambda m, here: "—"),
    rule("mark", '"', '"', _quote),
]
