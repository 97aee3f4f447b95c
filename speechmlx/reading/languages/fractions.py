"""Fractions, mixed numbers, scores such as 4.5/5, and durations."""

from __future__ import annotations

import re

from speechmlx.reading.languages.grammar import Context, Recogniser, either, rule
from speechmlx.reading.languages.language import Language, Noun
from speechmlx.reading.languages.numerals import BLANK, Numeral, digits, parse, pattern

GAP = f"[{BLANK}]"
VULGAR = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8)}
VULGAR |= {"⅞": (7, 8), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6)}
PLAIN = r"(?P<n>\d{1,3})[/⁄](?P<d>\d{1,3})(?![\d/⁄.,]\d|\d)"

P = Context[Language]


def rules(language: Language) -> list[Recogniser[Language]]:
    if not language.signs:
        return []
    unit = rf"(?:{GAP}?(?P<unit>{either(language.units)})(?!\w))?"
    vulgar, whole = f"(?P<v>[{''.join(VULGAR)}])", rf"(?P<whole>\d{{1,4}}){GAP}"
    number = pattern(language.decimal)
    return [
        rule("fraction", "0", f"{PLAIN}{unit}", _fraction),
        rule("fraction", "".join(VULGAR), f"{vulgar}{unit}", _fraction),
        rule("fraction", "0", f"{whole}{PLAIN}{unit}", _mixed),
        rule("fraction", "0", f"{whole}?{vulgar}{unit}", _mixed),
        rule("score", "0", rf"(?P<a>{number}){GAP}?[/⁄]{GAP}?(?P<b>\d{{1,4}})(?![\d/])", _over),
        rule("duration", "0", DURATION, _duration),
    ]


DURATION = r"(?P<h>\d{1,3})\s?h\s?(?:(?:y|et|e|und)\s)?(?P<m>\d{1,2})\s?(?:min|mn|m)\b(?:\.(?=\s))?"
DURATION += r"(?:\s?(?P<s>\d{1,2})\s?(?:sec|seg|s)\b)?"


def _parts(m: re.Match[str]) -> tuple[int, int] | None:
    """The numerator and the denominator; None where it is no fraction below one."""
    groups = m.groupdict()
    if groups.get("v"):
        return VULGAR[m["v"]]
    number, parts = int(m["n"]), int(m["d"])
    return (number, parts) if 0 < number < parts and "0" not in (m["n"][0], m["d"][0]) else None


def _noun(m: re.Match[str], place: P) -> str:
    return place.language.units[m["unit"]].one if m["unit"] else place.word_after(m.end())


def _fraction(m: re.Match[str], place: P) -> str | None:
    language, found, noun = place.language, _parts(m), _noun(m, place)
    if found is None or (noun.lower() in language.rated and found[0] > 1):
        return None
    said = language.fraction(*found, noun)
    if said is None or not noun or noun.lower() in language.not_nouns:
        return said
    joined = language.part_of(said, noun) if found[1] != 2 else f"{said} {noun}"
    return joined if m["unit"] else joined[: -len(noun)].rstrip()


def _mixed(m: re.Match[str], place: P) -> str | None:
    found, noun = _parts(m), _noun(m, place)
    if found is None:
        return None
    said = place.language.mixed(int(digits(m["whole"])), *found, noun)
    return f"{said} {place.language.units[m['unit']].many}" if said and m["unit"] else said


def _over(m: re.Match[str], place: P) -> str | None:
    language = place.language
    first, last = parse(m["a"], language.decimal), digits(m["b"])
    over = "" if (m["a"], last) == ("24", "7") or m["a"] == last else language.over
    return f"{language.number(first)} {over} {language.whole(last)}"


def _duration(m: re.Match[str], place: P) -> str | None:
    language = place.language
    units = [language.units.get(unit) for unit in ("h", "min", "s")]
    said = [_counted(language, m[g], unit) for g, unit in zip("hms", units, strict=True) if m[g] and unit]
    return f" {language.duration_and} ".join(said)


def _counted(language: Language, text: str, unit: Noun) -> str:
    number = Numeral(str(int(digits(text))))
    return f"{language.quantity(number, unit)} {unit.of(number)}"
