"""The scanner: asks the recognisers at each place of a text, and takes the longest match."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from speechmlx.reading.english import (
    abbreviated,
    addresses,
    cardinals,
    chat,
    chemistry,
    dates,
    fractions,
    marks,
    maths,
    measures,
    money,
    products,
    roman,
    scripture,
    telephone,
    times,
    web,
)
from speechmlx.reading.english.grammar import Rule, TokenContext, first

FAMILIES = (
    web, scripture, chat, telephone,
    addresses, money, dates, times, measures, fractions, maths, roman, chemistry, products,
    abbreviated, cardinals, marks,
)  # fmt: skip
"""In the order that decides between matches of one length."""
SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ClassifiedToken:
    """A classified token: text[start:end], and what is said for it in the notation of grammar.Say."""

    kind: str
    start: int
    end: int
    said: str


def _by_first(rules: Sequence[Rule]) -> Mapping[str, Sequence[Rule]]:
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        for c in dict.fromkeys(rule.starts):
            found[c].append(rule)
    return dict(found)


RULES = _by_first([rule for family in FAMILIES for rule in family.RULES])


def scan(text: str, british: bool = False) -> Iterator[ClassifiedToken]:
    """The tokens of `text`, in order. White space and characters without a sound are in none."""
    at, quoted = 0, False
    while at < len(text):
        if text[at].isspace():
            at = SPACE.match(text, at).end()  # type: ignore[union-attr]
            continue
        piece = _piece(TokenContext(text, at, british, quoted))
        if piece is None:
            at += 1
            continue
        quoted ^= piece.end == at + 1 and text[at] == '"'
        if piece.said:
            yield piece
        at = piece.end


def _piece(place: TokenContext) -> ClassifiedToken | None:
    found = []
    for order, rule in enumerate(RULES.get(first(place.text[place.at]), ())):
        match = rule.pattern.match(place.text, place.at)
        if match and match.end() > place.at:
            found.append((-match.end(), order, rule, match))
    for _, _, rule, match in sorted(found, key=lambda f: f[:2]):
        said = rule.say(match, place)
        if said is not None:
            return ClassifiedToken(rule.kind, place.at, match.end(), said)
    return None
