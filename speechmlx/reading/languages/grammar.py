"""What a recogniser is: a class of tokens, an anchored pattern with a bounded look, and one function that says it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

LOOK = 60
"""Characters that a rule may look back or ahead at most, besides its own match."""

MARKS = ",;:.!?…—()“”"
WORD_BEFORE = re.compile(r"([^\W\d_]{1,40})(\.?[\s:]{0,2})$")
WORD_AFTER = re.compile(r"[ \u00a0\u202f]([^\W\d_]{1,40})(?![^\W\d_]|['’])")

MARK = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983"
MARK += "\u09bc-\u09cd\u0a01-\u0a4d\u0a81-\u0acd\u0b01-\u0b4d\u0b82-\u0bcd\u0c00-\u0c4d\u0c81-\u0ccd\u0d00-\u0d4d"
MARK += "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ecd\u102b-\u103e\u17b6-\u17d3\u200c\u200d"
LETTER = f"[^\\W\\d_{MARK}\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u215f]"
L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Context(Generic[L]):
    """Where a token begins, with what stands around it."""

    text: str
    at: int
    language: L
    quoted: bool = False
    """A straight double quote is open."""
    shouted: bool = False
    """Most words of the text are in capitals, so capitals mean nothing."""

    def before(self) -> str:
        """The characters before the token, LOOK at most."""
        return self.text[max(0, self.at - LOOK) : self.at]

    def word_before(self) -> str:
        """The word right before, as written; "" where a mark or a number stands there."""
        found = WORD_BEFORE.search(self.before())
        return found[1] if found else ""

    def word_after(self, end: int) -> str:
        """The word after one blank at the offset `end`, as written; "" where something else stands there."""
        found = WORD_AFTER.match(self.text, end)
        return found[1] if found else ""

    def ends(self, end: int) -> bool:
        """Whether nothing but closing marks follows the offset `end`."""
        rest = self.text[end : end + LOOK]
        return len(rest) < LOOK and not rest.strip(" \t\n)]\"'”’»")


Say = Callable[[re.Match[str], Context[L]], str | None]
"""The words of a match, apart by blanks, or None: no token of this class after all.

".x" is a letter, a mark of MARKS stands for a pause, everything else is a word.
"""


@dataclass(frozen=True, slots=True)
class Recogniser(Generic[L]):
    """A recogniser of one class."""

    kind: str
    starts: str
    """The first characters that it may begin with: "0" any digit, "a" any letter, others themselves."""
    pattern: re.Pattern[str]
    say: Say[L]


def rule(kind: str, starts: str, pattern: str, say: Say[L]) -> Recogniser[L]:
    return Recogniser(kind, starts, re.compile(pattern), say)


@dataclass(frozen=True, slots=True)
class Classified:
    """A classified token: text[start:end], and what is said for it in the notation of Say."""

    kind: str
    start: int
    end: int
    said: str


Recognisers = Mapping[str, Sequence[Recogniser[L]]]


def by_first(rules: Iterable[Recogniser[L]]) -> Recognisers[L]:
    """The rules by the first characters that they may begin with, in their order."""
    found: defaultdict[str, list[Recogniser[L]]] = defaultdict(list)
    for each in rules:
        for c in dict.fromkeys(each.starts):
            found[c].append(each)
    return dict(found)


def scan(text: str, language: L, rules: Recognisers[L]) -> Iterator[Classified]:
    """The tokens of `text`, in order: at each place the longest match, of two of one length the earlier rule.

    White space and characters that no rule knows are in none.
    """
    at, quoted, shouted = 0, False, shouts(text)
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        piece = _piece(Context(text, at, language, quoted, shouted), rules)
        if piece is None:
            at += 1
            continue
        quoted = quoted != bool(piece.end == at + 1 and text[at] == '"')
        yield piece
        at = piece.end


def _piece(place: Context[L], rules: Recognisers[L]) -> Classified | None:
    found = []
    for order, each in enumerate(rules.get(first(place.text[place.at]), ())):
        match = each.pattern.match(place.text, place.at)
        if match and match.end() > place.at:
            found.append((-match.end(), order, each, match))
    for _, _, each, match in sorted(found, key=lambda f: f[:2]):
        said = each.say(match, place)
        if said is not None:
            return Classified(each.kind, place.at, match.end(), said)
    return None


def first(c: str) -> str:
    """The class of first characters that `c` is of, as in Recogniser.starts."""
    return "0" if c.isdecimal() else "a" if c.isalpha() else c


def shouts(text: str) -> bool:
    """Whether most of the words of `text`, and three at least, are in capitals."""
    known = [w for w in re.findall(r"[^\W\d_]{2,}", text[:2000]) if w.lower() != w.upper() and w.strip("IVXLCDM")]
    capitals = [w for w in known if w.isupper()]
    if len(capitals) < 3 or 2 * len(capitals) <= len(known):
        return False
    return len(capitals) == len(known) or any(len(w) > 4 for w in capitals)


def letters(text: str) -> str:
    """The letters of `text`, each said by its name: "FBI" → ".f .b .i"."""
    return " ".join(f".{c}" for c in text.lower() if c.isalpha())


def either(words: Iterable[str]) -> str:
    """An alternation of `words`, the longest first."""
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))
