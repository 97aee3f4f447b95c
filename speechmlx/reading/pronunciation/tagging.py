"""Tells verbs from nouns and adjectives, and the past from the present, by the words around.

Each cue has a weight. The sum decides: above zero a verb. A window of words bounds the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from speechmlx.reading.pronunciation import wordclasses as classes
from speechmlx.reading.pronunciation.wordclasses import is_plural, kind

WINDOW = 14  # words on each side that may matter
ENDS = frozenset(".!?;:—…")

# Words before "to" with which it is a preposition: "access to content".
_TO_NOUN = frozenset(
    "according due thanks access addicted added related similar respond responded contribute contributes contributed "
    "listen listens listening listened welcome prior subject subjected exposed exposure damage key solution answer "
    "devoted dedicated committed changes compared opposed led lead leads approach reduced linked attributed prone "
    "vulnerable sensitive resistant accustomed objection objections reaction response threat alternative alternatives "
    "refer refers referred close next limited restricted".split()
)
_CAUSATIVE = frozenset(
    "let lets make makes made have had has help helps helped see saw hear heard watch watched".split()
)
_INVERTING = frozenset(
    "do does did will would can could shall should may might don't doesn't didn't won't can't".split()
)
_COPULAS = frozenset("seem seems seemed feel feels felt look looks looked remain remains stay stayed become becomes "
                     "became kept keep keeps quite very too so rather perfectly".split())  # fmt: skip

_ACTIVITIES = frozenset("play work trade talk travel support study stress demand use research drink change".split())
_SUBORDINATING = frozenset("if when while because until unless as where how what although though before after".split())
_ONE = frozenset("this that each another one".split())
_MANY = frozenset("these those some many most all both few others".split())
_REPORTING = frozenset(
    "think thinks thought say says said know knows knew believe believes hope hopes see sees saw show shows showed "
    "mean"
    "means suggest suggests report reports feel find found".split()
)

# Weight of the class of the word before and of the word after, for a verb.
_BEFORE = {
    "T": 5.0, "M": 5.0, "S": 4.0, "D": -5.0, "P": -5.0, "Q": -4.0, "J": -4.0, "R": -4.0, "B": -3.5, "H": -3.0,
    "V": -2.5, "Z": -2.5, "X": -2.5, "G": -2.5, "N": -1.0, "?": -1.0, "O": -0.5, "W": -1.0, "C": 0.0, ".": 0.3,
}  # fmt: skip
_AFTER = {
    "D": 2.5, "P": 2.5, "O": 3.0, "S": 0.7, "Q": 1.0, "A": 1.2, "B": -3.0, "M": -3.0, "H": -3.0, "Z": -2.0, "X": -1.5,
    "V": -1.5, ".": -0.6, "J": 0.6, "R": 0.0, "T": 0.0, "N": 0.2, "?": 0.0, "G": 0.3, "W": 0.6, "C": -0.2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WordContext:
    """A word in its sentence: `words` are lower case, with the marks among them; `at` is the word's index."""

    words: tuple[str, ...]
    at: int
    capital: bool = False
    """Written with a capital letter, and not at the start of the sentence."""
    initial: bool = False
    """Written with a capital letter at the start of the sentence, where every word has one."""

    @property
    def word(self) -> str:
        return self.words[self.at]

    def near(self, offset: int) -> str:
        """The word `offset` places away; "" outside the sentence."""
        index = self.at + offset
        return self.words[index] if 0 <= index < len(self.words) else ""

    def left(self, count: int) -> tuple[str, ...]:
        """Up to `count` words before, the nearest first, without adverbs; a mark ends them."""
        found: list[str] = []
        for word in reversed(self.words[: self.at]):
            if len(found) == count:
                break
            if kind(word) != classes.ADVERB:
                found.append(word)
        return tuple(found)


def place(words: Sequence[str], i: int) -> WordContext:
    """The place of words[i], with its sentence cut to a window."""
    start, end = i, i + 1
    while start > 0 and i - start < WINDOW and words[start - 1] not in ENDS:
        start -= 1
    while end < len(words) and end - i < WINDOW and words[end] not in ENDS:
        end += 1
    first = start == 0 or words[start - 1] in ENDS
    upper = words[i][:1].isupper()
    starts = first and all(not w[:1].isalpha() for w in words[start:i])
    return WordContext(tuple(w.lower() for w in words[start:end]), i - start, upper and not starts, upper and starts)


def verb(at: WordContext, prior: float = 0.0) -> float:
    """How much the words around say that the word is a verb (above 0) and not a noun or an adjective."""
    return prior + _left_evidence(at) + _right_evidence(at)


def _left_evidence(at: WordContext) -> float:
    before, second, third = (*at.left(3), "", "", "")[:3]
    group = kind(before) if before else classes.MARK
    if group in "VZ" and kind(second) in "DPJQ":  # the play, his plays
        group = classes.NOUN
    third_person = at.word.endswith("s") and not at.word.endswith("ss")
    skipped = before != at.near(-1)  # adverbs between
    match group:
        case classes.TO:
            return -4.0 if third_person else -2.0 if second in _TO_NOUN else 5.0
        case classes.SUBJECT | classes.OBJECT | classes.DETERMINER | classes.POSSESSIVE | classes.RELATIVE:
            return _after_pronoun(at, before, second, third_person, skipped)
        case classes.NUMBER if second == "no":  # no one
            return 4.0
        case classes.PAST if before in ("let", "lets"):
            return 1.0
        case classes.VERB if third_person and not second and before in _ACTIVITIES:
            return 0.4
        case classes.VERB | classes.THIRD | classes.PAST if before in _CAUSATIVE | {"go", "come", "dare"}:
            return 2.5 if before.startswith("help") or before in ("go", "come", "dare") else -2.0
        case classes.NOUN | classes.UNKNOWN | classes.THIRD | classes.VERB | classes.PAST | classes.ING if _inverted(
            at
        ):
            return 4.0
        case classes.THIRD if not is_plural(second) and (kind(second) in "SN?" or (second and kind(third) in "DPJQ")):
            return -2.5
        case classes.NOUN | classes.UNKNOWN | classes.THIRD:
            return _after_noun(at, before, third_person)
        case classes.ING if second == "and" and not third_person and not has_verb(at):
            return 0.5
        case classes.CONJUNCTION:
            return _parallel(second, third, at) + 1.5 * skipped
        case other:
            return _BEFORE.get(other, 0.0)


def _after_pronoun(at: WordContext, before: str, second: str, third_person: bool, skipped: bool) -> float:
    """After a pronoun or a determiner: a verb has the pronoun as its subject, a noun follows the determiner."""
    match kind(before):
        case classes.SUBJECT:
            if kind(second) == classes.BE or (kind(second) == classes.HAVE and not skipped):
                return -4.0
            if before == "it" and not third_person and not _inverted(at):
                return -1.0
            return 4.0 if before != "there" else -1.0
        case classes.OBJECT:
            return 4.0 if second in _CAUSATIVE and not third_person else -0.5
        case classes.DETERMINER if before in (_ONE if third_person else _MANY) and kind(at.near(1)) in "DPO":
            return 3.0
        case classes.POSSESSIVE if before == "her" and second in _CAUSATIVE and not third_person:
            return 1.0
        case classes.RELATIVE if before == "that" and kind(second) in "VZX.":
            return -3.0
        case classes.RELATIVE if before in ("that", "which"):
            return 3.5 if is_plural(second) != third_person or before == "which" else -2.5
        case other:
            return _BEFORE.get(other, 0.0)


def _after_noun(at: WordContext, before: str, third_person: bool) -> float:
    """After a noun: a verb agrees with it ("farmers produce"), a compound often does not ("world record")."""
    if not third_person and _joined_subjects(at):
        return 0.5
    if at.left(2)[-1] in ("a", "an", "each", "every", "another"):  # a police escort
        return -2.0 + 3.0 * third_person
    agrees = is_plural(before) != third_person
    weight = (2.2 if agrees and not third_person else 0.4 if agrees else -2.0) + 1.0 * (before != at.near(-1))
    return weight + 1.5 * (third_person and _subordinate(at)) - 2.5 * has_verb(at)


def has_verb(at: WordContext) -> bool:
    """Whether a verb stands before, in the same clause: "keep your friends close"."""
    for index in range(at.at - 2, -1, -1):
        word = at.words[index]
        group = kind(word)
        if group in "CW.T" or word in _REPORTING:
            return False
        attributive = index > 0 and kind(at.words[index - 1]) in "DPJR"
        if group in "BH" or (group in "VZX" and not attributive):
            return True
    return False


def _subordinate(at: WordContext) -> bool:
    """Whether a clause like "if the weather" has no verb before the word."""
    for word in at.words[max(0, at.at - 5) : at.at]:
        if word in _SUBORDINATING:
            return not has_verb(at)
    return False


def _joined_subjects(at: WordContext) -> bool:
    """Whether subjects joined by "and" stand before, and no verb: "engines and the process"."""
    return "and" in at.words[max(0, at.at - 4) : at.at] and not any(kind(w) in "VZXBHMT" for w in at.words[: at.at])


def _inverted(at: WordContext) -> bool:
    """Whether an auxiliary stands before the subject of this word: "does the band record", "what did he read"."""
    seen = 0
    for index in range(at.at - 1, -1, -1):
        word = at.words[index]
        if word in _INVERTING:
            start = index == 0 or kind(at.words[index - 1]) in (classes.RELATIVE, classes.MARK, classes.CONJUNCTION)
            return start and seen > 0
        if kind(word) in "MTBHR.CV" or seen > 3:
            return False
        seen += kind(word) != classes.ADVERB
    return False


def _parallel(second: str, third: str, at: WordContext) -> float:
    """After "and" or "or": a noun joins nouns, a verb joins infinitives and orders."""
    if kind(third) in (classes.TO, classes.MODAL) or kind(second) == classes.VERB:
        return 2.0
    if kind(second) in "N?J" and kind(third) in "DPJRQ":
        return -1.0
    return 1.0 if any(kind(w) in (classes.TO, classes.MODAL) for w in at.left(8)) else -0.3


def _right_evidence(at: WordContext) -> float:
    after = at.near(1)
    if not after:
        return -0.6
    if after in ("of", "than"):
        return -4.0
    if after == "that" and kind(at.near(2)) in "DPS":
        return 1.5
    if not at.left(1) and (kind(after) == classes.ING or (kind(after) in "N?" and kind(at.near(2)) in "BMHXZ")):
        return -2.5
    if kind(after) == classes.ADVERB and kind(at.near(2)) in "BMHXZ":
        return -2.0
    if after in ("her", "it"):
        return 3.0
    return _AFTER.get(kind(after), 0.0)


def predicative(at: WordContext) -> bool:
    """Whether the word follows a form of "be" or a verb like "seem": "is content", "are you present"."""
    before, second = (*at.left(2), "", "")[:2]
    if before in _COPULAS or at.near(-1) in _COPULAS:
        return True
    return kind(before) == classes.BE or (kind(before) == classes.SUBJECT and kind(second) == classes.BE)


def modifies(at: WordContext) -> bool:
    """Whether a noun follows that the word belongs to: "a close friend"."""
    after = at.near(1)
    return bool(after) and kind(after) in "N?JGQ" and kind(after) != classes.MARK


_PARTS_OF_DAY = frozenset("morning afternoon".split())
_SINGULAR = frozenset("he she it who nobody everyone everybody someone somebody anyone anybody".split())
_PAST_TIMES = frozenset("yesterday ago last earlier previously once already just recently".split())
_HABITS = frozenset("every always usually often never each daily tomorrow tonight next now sometimes will i'll".split())


def past(at: WordContext) -> bool:
    """Whether "read", with a subject and no auxiliary before it, is in the past."""
    words, before = at.words, at.words[: at.at]
    subject = (*at.left(1), "")[0]
    if subject in _SINGULAR or (kind(subject) in "N?" and not is_plural(subject)):
        return True
    if any(w in _HABITS for w in words) and not any(w in ("yesterday", "ago", "last") for w in words):
        return _told(before) and "when" not in before
    today = any(w == "this" and after in _PARTS_OF_DAY for w, after in pairwise(words))
    if today or any(w in _PAST_TIMES for w in words) or "did" in words[at.at :]:
        return True
    return _told(words)


def _told(words: Sequence[str]) -> bool:
    """Whether a verb in the past is among `words`."""
    return any((kind(w) == classes.PAST and w != "read") or w in ("was", "were", "had") for w in words)
