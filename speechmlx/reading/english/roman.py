"""Roman numerals, where the words beside them say that they are numbers."""

from __future__ import annotations

import re

from speechmlx.reading import roman
from speechmlx.reading.english.grammar import Rule, TokenContext, rule
from speechmlx.reading.english.numbers import cardinal, ordinal, year

WARS = {"I": "one", "1": "one", "II": "two", "2": "two", "III": "three", "3": "three"}
NUMBERED = re.compile(
    r"\b(?:article|chapter|chapters|part|parts|war|act|scene|section|volume|phase|type|level|bowl|title|book|class"
    r"|stage|"
    r"mark|mk|episode|season|vol\.|appendix|figure|fig\.|table|grade|group|division|division|column|psalm|symphony"
    r"|no\.|"
    r"number|factor|corps|legion|unit|page|sonata|concerto|plate|schedule|category|tier|round|game|quadrant|region"
    r"|zone|"
    r"annex|step|generation|gen|version|titan|apollo|gemini|saturn|ch\.|pt\.|sec\.|art\.|test|exam|calculus|algebra|"
    r"physics|chemistry|english|biology|history|spanish|french|amendment|vatican|nerve|wwii|olympiad|games)\s+$",
    re.I,
)
REGNAL = frozenset(
    "henry louis george charles edward james william richard elizabeth mary philip ferdinand francis frederick "
    "napoleon nicholas alexander peter catherine leo pius benedict clement gregory innocent urban paul john ivan "
    "ramesses ramses ptolemy mehmed suleiman victoria albert leopold gustav harald haakon olaf christian margrethe "
    "wilhelm isabella alfonso robert david edmund edgar otto rudolf maximilian sigismund casimir joseph pedro "
    "carlos felipe juan cleopatra darius xerxes artaxerxes thutmose amenhotep seti constantine theodosius justinian "
    "basil selim murad bayezid boniface celestine sixtus julius adrian eugene honorius alexander xavier oscar "
    "thomas michael anthony jack samuel walter martin edwin hugh umberto vittorio akihito mohammed abdullah hussein "
    "hassan farouk norodom rama bhumibol humbert emmanuel stephen matthew daniel loudon sammy davis randolph".split()
)
LETTER_ONE = re.compile(
    r"\b(?:article|chapter|part|war|act|scene|section|volume|phase|type|book|title|level|class|stage|"
    r"episode|appendix|figure|table|art\.|ch\.|sec\.|vol\.|pt\.|king|queen|pope|emperor|tsar|elizabeth|francis"
    r"|napoleon)\s+$",
    re.I,
)
KINGS = re.compile(
    r"\b(?:king|queen|pope|emperor|tsar|czar|prince|sultan|elizabeth|napoleon|francis|charles|james|"
    r"nicholas|wilhelm)\s+(?:[A-Z][a-z]+\s+)?$",
    re.I,
)
WORDS = frozenset(
    "MIX DIM LIV MIL DIV CIV MID LID DID VIM MILD CIVIL VIVID LIVID MIMIC CIVIC XXX MM MD CD DC MC CV CI DI LI VI "
    "XL MI IV DIX MDX CC II III CCI CDC CMC MMC DVD LCD CCC LLC MCC CIC".split()
)
POSSESSIVE = r"(?P<ending>['’]s)?"


def value(numeral: str) -> int:
    """ "XIV" → 14; 0 for what is no Roman numeral in its usual form."""
    return roman.value(numeral) or 0


def _roman(m: re.Match[str], place: TokenContext) -> str | None:
    number = value(m["numeral"])
    if not number:
        return None
    before, name = place.before(), place.word_before()
    ending = "'s" if m["ending"] else ""
    if place.word_after(m.end()).lower() in ("century", "centuries", "dynasty"):
        return ordinal(number)
    ends = name.lower() in REGNAL and re.match(r"\sof\b|[,;.)]|$", place.after(m.end())) is not None
    if _heading(m, place) or re.search(r"\b[IVX]{1,5} of $", before):
        return cardinal(number)
    if re.search(r"\b[A-Z][a-z]+ [IVX]{1,5} (?:&|and) $", before) and _names_before(before) in REGNAL:
        return ordinal(number)
    if m["numeral"] == "V" and _sequel(before, place.after(m.end())):
        return "five"
    if len(m["numeral"]) == 1 and not ends and not _single(m["numeral"], before, name):
        return None
    if NUMBERED.search(before) and name.lower() != "henry":
        return cardinal(number) + ending
    if name.lower() in REGNAL and (m["numeral"] != "I" or KINGS.search(before) or ends):
        return f"the {ordinal(number)}{ending}"
    if (
        number >= 1000
        and (len(m["numeral"]) > 3 or m["numeral"] in ("MMX", "MMI", "MMV"))
        and m["numeral"] not in WORDS
    ):
        return year(number) + ending
    titled = name[:1].isupper() and (not name.isupper() or 1 < len(name) < 5)
    if titled and len(m["numeral"]) > 1 and number < 100 and _plain(m["numeral"]):
        if m["numeral"] in ("II", "III", "IV") and re.search(r"[A-Z][a-z]+\s[A-Z][a-z]+,?\s$", before):
            given = re.search(r"([A-Z][a-z]+)\s[A-Z][a-z]+,?\s$", before)
            if given and given[1].lower() in REGNAL:
                return f"the {ordinal(number)}{ending}"
        return cardinal(number) + ending
    return (
        cardinal(number) + ending
        if len(m["numeral"]) > 2 and number < 100 and m["numeral"] not in WORDS | {"III"}
        else None
    )


def _heading(m: re.Match[str], place: TokenContext) -> bool:
    """Whether the numeral numbers a heading: "IV. Results", and nothing follows that ends a sentence."""
    return (
        place.at == 0
        and len(place.text) < 80
        and re.match(r"\.\s[A-Z]", place.after(m.end())) is not None
        and place.text.rstrip()[-1] not in ".!?"
    )


def _names_before(before: str) -> str:
    found = re.search(r"([A-Z][a-z]+) [IVX]{1,5} (?:&|and) $", before)
    return found[1].lower() if found else ""


def _sequel(before: str, after: str) -> bool:
    """ "Street Fighter V", "GTA V": the V of a game or a film."""
    named = re.search(r"(?<!\w)([A-Z][\w'’]+) $", before)
    if not named or re.match(r"\s[A-Z]|\.\s?[A-Z]", after):
        return False
    return named[1].lower() not in REGNAL | {"vitamin", "plan", "option", "hepatitis", "type"}


def _single(numeral: str, before: str, name: str) -> bool:
    """Whether one letter is a numeral: the V of "Episode V", the I of "Act I", the X of "Malcolm X" is none."""
    if LETTER_ONE.search(before):
        return True
    return numeral in "VX" and (NUMBERED.search(before) is not None or (name.lower() in REGNAL))


def _plain(numeral: str) -> bool:
    return numeral not in WORDS - {"II", "III", "IV", "VI"}


def _range(m: re.Match[str], place: TokenContext) -> str | None:
    low, high = value(m[1]), value(m[2])
    if not low or not high or not NUMBERED.search(place.before()):
        return None
    return f"{cardinal(low)} to {cardinal(high)}"


def _war(m: re.Match[str], place: TokenContext) -> str:
    return f"world war {WARS[m[0][2:]]}"


def _bracketed(m: re.Match[str], place: TokenContext) -> str | None:
    number = value(m[1].upper())
    return cardinal(number) if number else None


def _about_war(m: re.Match[str], place: TokenContext) -> str:
    """ "post-WWII" → "post world war two"."""
    return f"{m[1]} world war {'two' if m[0].endswith(('II', '2')) else 'one'}"


def _small(m: re.Match[str], place: TokenContext) -> str | None:
    """In small letters, after "Scene", "page", ..."""
    before = place.before()
    if not re.search(r"\b(?:scene|act|page|pages|pp?\.|part|chapter|section|book|article|paragraph)\s$", before, re.I):
        return None
    high = value(m[2].upper()) if m[2] else 0
    return cardinal(value(m[1].upper())) + (f" to {cardinal(high)}" if high else "")


def _character(m: re.Match[str], place: TokenContext) -> str:
    """ "Ⅳ": the characters that Unicode has for them."""
    numeral = "".join(c if c in roman.WORTH else _letters_of(c) for c in m[0])
    number = value(numeral)
    return cardinal(number) if number else ""


def _letters_of(c: str) -> str:
    at = (ord(c) - 0x2160) % 16
    return "I II III IV V VI VII VIII IX X XI XII L C D M".split()[at]


RULES: list[Rule] = [
    rule("roman", "a", rf"(?<!\w)(?P<numeral>[IVXLCDM]{{1,15}}){POSSESSIVE}(?![\w'’&/+]|\.[\w]|-[^\W\d_])", _roman),
    rule("roman", "a", r"(?<!\w)([IVXLC]{1,9})\s?[-–—]\s?([IVXLC]{1,9})(?!\w)", _range),
    rule("roman", "a", r"(?<!\w)(pre|post|mid|inter)-WW(?:II|I|1|2)(?!\w)", _about_war),
    rule("roman", "a", r"(?<!\w)WW(?:III|II|I|1|2|3)(?!\w)", _war),
    rule(
        "roman", "a", r"(?<!\w)(i{1,3}|iv|vi{0,3}|ix|xi{0,3}|xiv|xvi{0,3}|xix|xx)(?:[-–]([ivxl]{1,7}))?(?!\w)", _small
    ),
    rule("roman", "a", r"(?<=\()(ii|iii|iv|vi|vii|viii|ix|xi|xii)(?=\))", _bracketed),
    rule("roman", "".join(map(chr, range(0x2160, 0x2180))) + "a0", "[\u2160-\u217f]{1,12}", _character),
]
