"""Which pronunciation of a word is meant: by its meaning (senses.py) or by its part of speech."""

from __future__ import annotations

from collections.abc import Callable

from speechmlx.reading.pronunciation import wordclasses as classes
from speechmlx.reading.pronunciation.sense import Sense
from speechmlx.reading.pronunciation.senses import SENSES
from speechmlx.reading.pronunciation.tagging import WordContext, has_verb, modifies, past, predicative, verb
from speechmlx.reading.pronunciation.wordclasses import kind


def choose(at: WordContext) -> Sense | str:
    """The sense of the word at `at`, or the part of speech to ask the dictionary for ("" if nothing is known)."""
    senses = SENSES.get(at.word)
    if senses is not None:
        verbal = verb(at)
        return max(senses, key=lambda sense: sense.score(at, verbal))
    rule = _RULES.get(at.word)
    return rule(at) if rule is not None else ""


def part(at: WordContext, keys: frozenset[str]) -> str:
    """Which of an entry's parts of speech (`keys`) the word has here: VERB, NOUN or ADJ."""
    prior = 0.5 if "NOUN" in keys and "VERB" not in keys else -0.5 if "VERB" in keys else 0.0
    verbal = verb(at, prior)
    if verbal > 0:
        return "VERB"
    if "ADJ" in keys and (modifies(at) or predicative(at)):
        return "ADJ"
    return "ADJ" if "ADJ" in keys and "NOUN" not in keys else "NOUN"


def _read(at: WordContext) -> str:
    left = (*at.left(2), "", "")
    classes_before = [kind(w) for w in left[:2]]
    if kind(at.near(-1)) == classes.ADVERB and classes_before[0] in "DP" and modifies(at):
        return "ADJ"
    if classes_before[0] in "BH" or left[0] in ("get", "gets", "got", "getting"):
        return "VBN"
    if classes_before[0] == classes.SUBJECT and classes_before[1] == classes.HAVE:
        return "VBN"
    if classes_before[0] in "MT" or classes_before[0] in "DPJ":
        return "VERB"
    if verb(at) >= 4 and classes_before[0] != classes.SUBJECT:
        return "VERB"
    if classes_before[0] == classes.SUBJECT and left[1] in _AUXILIARIES:
        return "VERB"
    if classes_before[0] == classes.MARK or not left[0]:
        subject = any(kind(w) == classes.SUBJECT for w in at.words[: at.at])
        return "VBD" if subject and past(at) else "VERB"
    return "VBD" if past(at) else "VERB"


_AUXILIARIES = frozenset("do does did will would can could shall should may might don't didn't".split())


_PERSONS = frozenset("i you he she we they people everyone who".split())


def _used(at: WordContext) -> str:
    """ "used to go" and "is used to noise" have a voiceless s, "is used to cut bread" has not."""
    left = (*at.left(1), "")[0]
    if at.near(1) != "to":
        return "VERB"
    second = (*at.left(2), "", "")[1]
    if kind(left) in "N?" and has_verb(at) and kind(at.near(2)) in "V?":
        return "VERB"  # the words used to describe it
    person = left in ("i'm", "he's", "she's", "you're", "we're", "they're") or second in _PERSONS
    thing = kind(left) == classes.BE and not person and kind(at.near(2)) not in "DPOGQSJN"
    return "VERB" if thing else "VBD"


def _close(at: WordContext) -> str:
    left = (*at.left(1), "")[0]
    second = (*at.left(2), "", "")[1]
    verbal = kind(left) in "VXG" or (kind(left) == classes.THIRD and kind(second) not in "DPJR")
    if (verbal and left not in ("help", "helped")) or (left in ("it", "you") and has_verb(at)):
        return "ADJ"
    if at.near(1) == "of" or (left in ("the", "a") and at.near(-2) in ("at", "to", "by", "until") and not modifies(at)):
        return "NOUN"
    certain = verb(at) >= 4 and not predicative(at)
    if not certain and at.near(1) in ("to", "together", "by", "behind", "enough"):
        return "ADJ"
    if kind(left) in "TMS" and not predicative(at):
        return "VERB"
    return "VERB" if verb(at) > 0.5 and not predicative(at) else "ADJ"


def _content(at: WordContext) -> str:
    if predicative(at) or (at.near(1) in ("with", "to") and kind((*at.left(1), "")[0]) not in "DPJN?"):
        return "ADJ"
    return "NOUN" if verb(at) <= 0.5 else "VERB"


def _that(at: WordContext) -> str:
    after, before = at.near(1), at.near(-1)
    demonstrative = not after or kind(after) in ".B" or (kind(before) == classes.PREPOSITION and modifies(at))
    return "DT" if demonstrative else "IN"


_RULES: dict[str, Callable[[WordContext], str]] = {
    "read": _read,
    "reread": _read,
    "used": _used,
    "close": _close,
    "closer": lambda at: "ADJ",
    "content": _content,
    "that": _that,
}
