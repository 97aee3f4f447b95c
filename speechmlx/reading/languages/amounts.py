"""Numbers, ranges, ordinals, fractions, measures and money."""

from __future__ import annotations

import re

from speechmlx.reading.languages.grammar import LETTER, MARK, Context, Recogniser, either, rule
from speechmlx.reading.languages.language import Language, Noun, pairs
from speechmlx.reading.languages.numerals import BLANK, DASH, Numeral, digits, parse, pattern

SYMBOLS = pairs(
    "€=EUR, $=USD, US$=USD, U$S=USD, u$s=USD, £=GBP, ¥=JPY, ￥=JPY, ₹=INR, R$=BRL, Rs.=INR, Rs=INR, रु.=INR, रु=INR, "
    "₽=RUB, ₩=KRW, CHF=CHF, Fr.=CHF"
)
GAP = f"[{BLANK}]"
SIGN = r"(?P<minus>(?<![\w)])[-−–](?=\S))?"
START = "0-−–"
PLAIN_DASH = rf"(?<!\s)[{DASH}](?=\d)"

P = Context[Language]


def rules(language: Language) -> list[Recogniser[Language]]:
    number = pattern(language.decimal)
    found = []
    if language.units:
        found += _measures(language, number)
    if language.currencies:
        found += _money(language, number)
    if language.signs:
        found += [
            rule(
                "ordinal",
                "0",
                rf"(?P<n>\d{{1,4}})(?P<suffix>\.?[ºª°ᵉ]|\.?(?:{LETTER}|[{MARK}]){{1,5}}(?![\w]))",
                _ordinal,
            ),
            rule("ordinal", "0", r"(?P<n>\d{1,4})(?P<suffix>\.)(?=\s{1,2}[^\W\d_]|[/–-]\d{1,4}\.\s)", _ordinal),
            rule("code", "0", rf"\d{{1,5}}(?:[{DASH}]\d{{1,6}}){{2,6}}(?!\d)", _digits),
            rule("version", "0", r"\d{1,5}(?:\.\d{1,5}){2,5}(?![\d])", _version),
            rule("range", START, rf"{SIGN}(?P<a>{number}){PLAIN_DASH}(?P<b>{number})(?![{DASH}\d])", _range),
            rule("score", "0", r"(?P<a>\d{1,3}):(?P<b>\d{1,3})(?![\d:])", _score),
        ]
    return [*found, rule("cardinal", START, rf"{SIGN}(?P<a>{number})", _number)]


def _measures(language: Language, number: str) -> list[Recogniser[Language]]:
    units = either([*language.units, "%"])
    span = rf"(?P<a>{number})(?:(?:{GAP}?(?:{units}))?{GAP}?[{DASH}]{GAP}?(?P<b>{number}))?"
    rate = rf"(?:/(?P<per>{either(language.units)})(?!\w))?"
    return [rule("measure", START, rf"{SIGN}{span}{GAP}?(?P<unit>{units})(?!\w){rate}", _measure)]


def _money(language: Language, number: str) -> list[Recogniser[Language]]:
    written = {s for s, code in SYMBOLS.items() if code in language.currencies}
    letters = either(s for s in written if _lettered(s))
    others = either(s for s in written if not _lettered(s))
    symbols = f"{others}|(?:{letters})(?!{LETTER})"
    codes = either([*language.currencies])
    magnitude = rf"(?:{GAP}?(?P<magnitude>{either(language.magnitudes)})(?!\w))?"
    plain = rf"(?P<a>{number})(?:(?:{GAP}?(?:{symbols}))?{GAP}?[{DASH}]{GAP}?(?:{symbols})?{GAP}?(?P<b>{number}))?"
    rate = rf"(?:/(?P<per>{either(language.units)}|(?:{LETTER}|[{MARK}]){{1,20}})(?!\w))?"
    starts = START + "".join({s[0] for s in SYMBOLS if not s[0].isalpha()}) + "a"
    after = rf"{SIGN}{plain}{magnitude}{GAP}?(?:(?P<symbol>{symbols})|(?P<code>{codes})(?!\w))"
    before = rf"{SIGN}(?:(?P<symbol>{symbols})|(?P<code>{codes})(?={GAP}|\d)){GAP}?{plain}{magnitude}"
    return [rule("money", starts, before + rate, _price), rule("money", START, after + rate, _price)]


def _lettered(symbol: str) -> bool:
    """Whether a symbol ends in a letter or a mark over one, so that a longer word may begin with it."""
    return symbol[-1] not in ".$" and symbol[0].isalpha()


def numeral(m: re.Match[str], group: str, place: P) -> Numeral:
    return parse(m[group], place.language.decimal)


def _signed(m: re.Match[str], place: P, words: str) -> str:
    return f"{place.language.minus} {words}" if m["minus"] and place.language.minus else words


def _measure(m: re.Match[str], place: P) -> str | None:
    language, last = place.language, numeral(m, "b" if m["b"] else "a", place)
    if m["unit"] == "%":
        number = language.number(last)
        if m["b"]:
            number = f"{language.number(numeral(m, 'a', place))} {language.to} {number}"
        return _signed(m, place, language.percent(number))
    if m["unit"] == "°" and _is_rank(place, place.word_after(m.end())):
        return None
    noun = language.units[m["unit"]]
    number = language.quantity(last, noun)
    if m["b"]:
        number = f"{language.quantity(numeral(m, 'a', place), noun)} {language.to} {number}"
    said = noun.of(last)
    if m["per"]:
        said = language.rate(said, language.units[m["per"]])
    return _signed(m, place, language.phrase(number, said))


def _is_rank(place: P, noun: str) -> bool:
    """Whether "3°" is an ordinal: after an article, before a noun that things are numbered by."""
    language = place.language
    return bool(noun) and (place.word_before().lower() in language.articles or noun.lower() in language.ranks)


def _price(m: re.Match[str], place: P) -> str | None:
    language = place.language
    currency = m["code"] or SYMBOLS[m["symbol"]]
    noun, last = language.currencies[currency], numeral(m, "b" if m["b"] else "a", place)
    begin = ""
    if m["magnitude"]:
        magnitude = language.magnitudes[m["magnitude"]]
        words = f"{language.quantity(last, magnitude)} {language.joined(magnitude.of(last), noun.many)}"
        if m["b"]:
            begin = f"{language.quantity(numeral(m, 'a', place), magnitude)} {language.to} "
    else:
        words = language.money(last, currency)
        if m["b"]:
            begin = f"{language.quantity(numeral(m, 'a', place), noun)} {language.to} "
    if m["per"]:
        words = language.rate(words, language.units.get(m["per"]) or Noun(m["per"], m["per"]))
    return _signed(m, place, begin + words)


def _ordinal(m: re.Match[str], place: P) -> str | None:
    language, suffix = place.language, m["suffix"]
    if suffix == "." and place.word_after(m.end()).islower():
        listed = language.listed(int(m["n"]), place.word_before().lower(), place.word_after(m.end()))
        if listed:
            return listed
    return language.ordinal(int(m["n"]), suffix, governor(place), place.word_after(m.end()))


def governor(place: P) -> str:
    """The word, in lower case, that an ordinal stands after: for the second of "am 3. und 4. Mai" the "am" too."""
    joined = re.search(
        r"([^\W\d_]{1,40})\s\d{1,2}\.\s(?:und|oder)\s$|([^\W\d_]{1,40})\s\d{1,2}\.[/–-]$", place.before()
    )
    return ((joined[1] or joined[2]) if joined else place.word_before()).lower()


def _digits(m: re.Match[str], place: P) -> str:
    return place.language.digits(digits(m[0]))


def _version(m: re.Match[str], place: P) -> str | None:
    language, parts = place.language, m[0].split(".")
    if all(len(part) == 3 for part in parts[1:]) and len(parts[0]) < 4:
        return None
    return f" {language.point} ".join(language.whole(digits(part)) for part in parts)


def _range(m: re.Match[str], place: P) -> str | None:
    language = place.language
    if len(m["a"]) > 4 and len(m["b"]) < len(m["a"]) and m["a"].isdecimal():
        return language.digits(digits(m[0]))
    first, last = (parse(m[group], language.decimal) for group in "ab")
    noun = place.word_after(m.end())
    years = [_year(place, n, "") for n in (first, last)] if all(len(n.whole) == 4 for n in (first, last)) else []
    words = years or [language.counted(n, noun) for n in (first, last)]
    said = f"{words[0]} {language.to if words[0] != words[1] else ''} {words[1]}"
    return _signed(m, place, said) if "minus" in m.groupdict() else said


def _score(m: re.Match[str], place: P) -> str:
    language = place.language
    return f"{language.whole(digits(m['a']))} {language.versus or language.to} {language.whole(digits(m['b']))}"


def _number(m: re.Match[str], place: P) -> str | None:
    language, number = place.language, numeral(m, "a", place)
    if not language.comma and number.fraction:
        return m[0]
    before, noun = place.word_before().lower(), place.word_after(m.end())
    if re.fullmatch(r"[1-9]\d{3}", m["a"]):
        return _signed(m, place, _year(place, number, noun))
    if noun == "mil" and language.agrees_over_thousands:
        noun = place.word_after(m.end() + 4) or noun
    counts = noun and before not in language.labels and not m["a"].startswith("0")
    return _signed(m, place, language.counted(number, noun, before) if counts else language.number(number))


def _year(place: P, number: Numeral, noun: str) -> str:
    """Four digits in a row: a year where the language says years otherwise and nothing is counted."""
    counted = place.language.counted(number, noun)
    if number.fraction or (noun and counted != place.language.number(number)):
        return counted
    return counted if noun[:1].isupper() else place.language.year(int(number.whole))
