"""What a recogniser is: a class of tokens, an anchored pattern with a bounded look, and one function that says it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

LOOK = 60  # characters that a rule may look back or ahead at most, besides its own match

WORD_BEFORE = re.compile(r"([^\W\d_]+(?:['.][^\W\d_]+)*)(\.?[\s-]{0,3})$")
WORD_AFTER = re.compile(r"[\s-]{0,3}([^\W\d_]{1,40}(?:'[^\W\d_]{1,10})?)")


@dataclass(frozen=True, slots=True)
class TokenContext:
    """Where a token begins, with what stands around it."""

    text: str
    at: int
    british: bool = False
    quoted: bool = False
    """A straight double quote is open."""

    def before(self) -> str:
        """The characters before the token, LOOK at most."""
        return self.text[max(0, self.at - LOOK) : self.at]

    def word_before(self) -> str:
        """The word right before, as written; "" where a mark or a number stands there."""
        found = WORD_BEFORE.search(self.before())
        return found[1] if found else ""

    def word_after(self, end: int) -> str:
        """The word right after the offset `end`, as written; "" where a mark or a number stands there."""
        found = WORD_AFTER.match(self.text, end)
        return found[1] if found else ""

    def after(self, end: int) -> str:
        """The characters from the offset `end` on, LOOK at most."""
        return self.text[end : end + LOOK]


Say = Callable[[re.Match[str], TokenContext], str | None]
"""The words of a match, apart by blanks, or None: no token of this class after all.

".x" is a letter, "~Word" a word as it is written, whose capitals are to be looked at; a mark stands for a pause.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recogniser of one class."""

    kind: str
    starts: str
    """The first characters that it may begin with: "0" any digit, "a" any letter, others themselves."""
    pattern: re.Pattern[str]
    say: Say


def rule(kind: str, starts: str, pattern: str, say: Say, flags: int = 0) -> Rule:
    return Rule(kind, starts, re.compile(pattern, flags), say)


def first(c: str) -> str:
    """The class of first characters that `c` is of, as in Rule.starts."""
    return "0" if c.isdecimal() else "a" if c.isalpha() else c


def letters(text: str) -> str:
    """The letters of `text`, each said by its name: "FBI" → ".f .b .i"."""
    return " ".join(f".{c}" for c in text.lower() if c.isalpha())


def either(words: str) -> str:
    """An alternation of the words of `words`, the longest first."""
    return "|".join(re.escape(w) for w in sorted(words.split(), key=len, reverse=True))
