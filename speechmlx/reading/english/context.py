"""What the words beside a token say of it: whether it stands as an adjective, after a determiner, after a keyword."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import TokenContext

DETERMINER = re.compile(
    r"(?:^|[\s(\"'“-])(?:a|an|the|this|that|another|each|every|any|my|your|his|her|its|our|their|one|no|(?!(?:it|that"
    r"|he|she|what|there|here|who|let|how|where)'s)[\w]{1,20}'s)"
    r"(?:\s+(?:new|old|first|second|third|last|next|crisp|extra|whole|single|standard|full|big|small|large|massive|"
    r"huge|tiny|simple|nice|good|great|typical|short|long|recent|proposed|initial|brand-new|mere))?(?:"
    r"\s+\w{1,12}-\w{1,12},?)?\s+$",
    re.IGNORECASE,
)
NOT_NOUNS = frozenset(
    "of in on at to for from by with per a an the and or but nor so if as is was are were be been will would can could "
    "may might must shall should do does did has have had i you he she it we they me him her us them this that these "
    "those each every more less off back today tomorrow yesterday now then there here when while because until till "
    "since after before about above below over under through into onto up down out away again only also too just not "
    "than once twice apiece total who which what where how why whose later earlier ago altogether extra "
    "without within between among against during via plus minus times divided equals".split()
)
NOT_HEADS = frozenset(
    "longer shorter taller wider deeper thicker higher heavier lighter bigger smaller faster slower older younger "
    "tonight warmer cooler colder hotter closer farther further lower larger greater stronger better worse away wide "
    "tall long deep thick high old apart free left remaining north south east west northeast northwest southeast "
    "southwest please straight square daily each max min maximum minimum outside inside uphill downhill flat celsius "
    "fahrenheit short late early sharp exactly per past ahead behind round around downtown home fast slow north-east "
    "wait ok okay ish plus cold hot warm clockwise counterclockwise hence even tops worth".split()
)
VERBS = frozenset("did take took takes passed passes came come go goes went ran run runs means".split())
COUNTED = re.compile(
    r"(?:^|\s)(?:\d{1,6}|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|several|some|few|many|these|those)"
    r"\s+$",
    re.IGNORECASE,
)
DEVICE = re.compile(r"\b(?:iPhone|iPad|Galaxy|Pixel|Model|OnePlus|Redmi|Mi)\s$")
"""Before the number of a model: "iPhone 6s"."""
SINGULAR_S = ("ss", "us", "is")


def attributive(place: TokenContext, end: int) -> bool:
    """Whether the token stands before its noun, as in "a $5 bill", "two 10 kg bags": its unit is then singular."""
    noun = place.word_after(end)
    if (
        not noun
        or noun.lower() in NOT_NOUNS | NOT_HEADS
        or "'" in noun
        or place.text[end : end + 1] not in (" ", "-", "\u00a0")
    ):
        return False
    before = place.before()
    if DETERMINER.search(before):
        return True
    return noun.islower() and is_plural(noun) and bool(COUNTED.search(before))


def before_noun(place: TokenContext, end: int) -> bool:
    """Whether a plain noun follows: "bulb" of "60 W bulb", not "away" of "5 km away"."""
    noun = place.word_after(end)
    if not noun.islower() or "'" in noun or place.text[end : end + 1] not in (" ", "-", "\u00a0"):
        return False
    return noun not in NOT_NOUNS | NOT_HEADS | VERBS and not noun.endswith(("ly", "ed", "ing", "ward", "wards"))


def is_plural(noun: str) -> bool:
    """Whether a noun looks like a plural."""
    lower = noun.lower()
    return lower in ("people", "men", "women", "children", "feet", "mice") or (
        len(lower) > 3 and lower.endswith("s") and not lower.endswith(SINGULAR_S) and lower not in NOT_NOUNS
    )


def after_keyword(place: TokenContext, keywords: re.Pattern[str]) -> bool:
    """Whether `keywords` matches up to the token: "PIN is ", "call ". The pattern ends in $."""
    return keywords.search(place.before()) is not None
