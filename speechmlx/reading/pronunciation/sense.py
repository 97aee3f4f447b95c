"""A meaning of a word with its pronunciation, and the cues that tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from speechmlx.reading.pronunciation import wordclasses as classes
from speechmlx.reading.pronunciation.tagging import WordContext, modifies, predicative
from speechmlx.reading.pronunciation.wordclasses import kind


@dataclass(frozen=True, slots=True)
class Sense:
    """A meaning of a word with a pronunciation. `verb` is the weight of the evidence for a verb; negative for nouns."""

    us: str
    gb: str = ""
    """Empty: the American one, changed by rule."""
    prior: float = 0.0
    verb: float = 0.0
    before: frozenset[str] = field(default=frozenset())
    after: frozenset[str] = field(default=frozenset())
    near: frozenset[str] = field(default=frozenset())
    when: Callable[[WordContext], bool] | None = None
    """One more cue, of weight 3."""
    only: Callable[[WordContext], bool] | None = None
    """The sense is impossible where this is false."""

    def score(self, at: WordContext, verbal: float) -> float:
        if self.only is not None and not self.only(at):
            return -100.0
        left = at.left(1)
        total = self.prior + self.verb * max(-3.0, min(3.0, verbal))
        total += 3.0 * (at.near(-1) in self.before or bool(left and left[0] in self.before))
        total += 3.0 * (at.near(1) in self.after)
        others = (w for i, w in enumerate(at.words) if i != at.at and w.removesuffix("'s") in self.near)
        total += 2.0 * min(2, sum(1 for _ in others))
        return total + 3.0 * (self.when is not None and self.when(at))


def sense(
    us: str,
    gb: str = "",
    *,
    prior: float = 0.0,
    verb: float = 0.0,
    before: str = "",
    after: str = "",
    near: str = "",
    when: Callable[[WordContext], bool] | None = None,
    only: Callable[[WordContext], bool] | None = None,
) -> Sense:
    sets = (frozenset(words.split()) for words in (before, after, near))
    first, second, third = sets
    return Sense(us, gb, prior, verb, first, second, third, when, only)


def capital(at: WordContext) -> bool:
    return at.capital or at.initial


def attributive(at: WordContext) -> bool:
    """After a determiner and before a noun: "a learned man"."""
    left = at.left(1)
    return bool(left) and kind(left[0]) in "DP" and modifies(at)


def bare(at: WordContext) -> bool:
    """Without a determiner, and before no noun: a substance, as in "lined with lead" and "lead is heavy"."""
    if not at.left(1) and kind(at.near(1)) in "BMH":
        return True
    return at.near(-1) in ("by", "with", "from", "of", "into", "for", "like", "without") and not modifies(at)


def quarrel(at: WordContext) -> bool:
    """ "had a row"; not "had a row of seats"."""
    left = (*at.left(2), "", "")
    return left[0] == "a" and kind(left[1]) == classes.HAVE and at.near(1) not in ("of", "in")


def infinitive(at: WordContext) -> bool:
    """After "to" or a modal verb, where no past form stands; weighs against the evidence for a verb."""
    left = at.left(1)
    return bool(left) and kind(left[0]) in "TM"


def alone_after_determiner(at: WordContext) -> bool:
    left = at.left(1)
    return bool(left) and kind(left[0]) in "DPJ" and not modifies(at)


def place_name(at: WordContext) -> bool:
    """A capital within a sentence after a preposition of place."""
    return at.capital and at.near(-1) in ("in", "to", "from", "near", "at", "of", "through", "via", "visit", "visited")


def minute(at: WordContext) -> bool:
    """ "the details are minute"; not "one minute", "a minute ago"."""
    left = at.left(1)
    if bool(left) and modifies(at):
        return kind(left[0]) in "VZXG" or (kind(left[0]) in "N?" and at.near(1).endswith("s"))
    return predicative(at) and bool(left) and kind(left[0]) not in "DPQR"


def numeral_after(at: WordContext) -> bool:
    return kind(at.near(1)) == classes.NUMBER


def noun_does(at: WordContext) -> bool:
    left = at.near(-1)
    return left in ("the", "two", "three", "these", "those", "several") and kind(at.near(1)) not in "SDOP"


def stress(noun: str, verb: str) -> tuple[Sense, Sense]:
    """A noun and a verb that differ in stress, of which the dictionary has the noun alone."""
    return sense(noun, verb=-1.0, prior=0.3), sense(verb, verb=1.0)


def with_s(sound: str) -> str:
    return sound + ("s" if sound[-1] in "ptkfθ" else "ᵻz" if sound[-1] in "szʃʒʧʤ" else "z")
