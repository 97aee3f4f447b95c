"""Tags heteronyms (record, live, read, close) with a part of speech, by rules on the neighbouring words.

The tags are those of the dictionary: NOUN, VERB, VBD (past tense), VBN (participle), ADJ, ADV, DT, or "" if no rule
applies.
"""

from __future__ import annotations

from collections.abc import Sequence

PRONOUNS = frozenset("i you he she it we they who that which there".split())
MODALS = frozenset(
    "will would can could shall should may might must do does did don't doesn't didn't won't wouldn't can't cannot "
    "couldn't shouldn't mustn't to let's i'll you'll he'll she'll it'll we'll they'll i'd you'd he'd she'd we'd they'd "
    "please help let make".split()
)
BE = frozenset("am is are was were be been being isn't aren't wasn't weren't it's that's he's she's i'm you're".split())
HAVE = frozenset("has have had having i've you've we've they've hasn't haven't hadn't been was were".split())
DETERMINERS = frozenset(
    "a an the this these those my your his her its our their some any no every each another one two three four five "
    "six seven eight nine ten what whose many few several more most other both all own new old good bad great first "
    "last next best big small little long".split()
)
PREPOSITIONS = frozenset(
    "of in on at by for with from into onto over under about after before between through during without within "
    "against among per via".split()
)
PAST = frozenset("yesterday ago last then once had was were did earlier previously already when before".split())
ADVERBS = frozenset("always never often usually sometimes also only really still just quickly carefully".split())
LIVE_NOUNS = frozenset(
    "music show audio video stream streaming broadcast concert performance wire wires event events album version "
    "session transcription captions chat recording recordings audience action animals bait ammunition".split()
)
STOPS = frozenset(".,!?;:—…")


def tag(words: Sequence[str], i: int) -> str:
    """The part of speech of words[i]. `words` are lower case; each punctuation mark is a word."""
    word = words[i]
    before = words[i - 1] if i else ""
    earlier = words[i - 2] if i > 1 else ""
    after = words[i + 1] if i + 1 < len(words) else ""
    if before in ADVERBS and (earlier in PRONOUNS or earlier in MODALS or earlier in HAVE):
        before = earlier
    special = _special(word, before, after, words, i)
    if special is not None:
        return special
    if before in MODALS:
        return "VERB"
    if before in HAVE and word.endswith("ed"):
        return "VBN"
    if before in BE:
        return "VBN" if after == "by" else "ADJ"
    if before in DETERMINERS or before.endswith("'s"):
        return "ADJ" if _is_content_word(after) else "NOUN"
    if before in PRONOUNS or (before == "and" and after in DETERMINERS):
        return "VERB"
    if before in PREPOSITIONS:
        return "NOUN"
    if (not before or before in STOPS) and (after in DETERMINERS or after in ("it", "them", "me", "us", "him")):
        return "VERB"
    if (after in DETERMINERS and before.endswith(("s", "ers", "ists"))) or (after in ("to", "it", "them") and before):
        return "VERB" if before not in PREPOSITIONS else "NOUN"
    return "NOUN" if not after or after in STOPS or after in BE or after == "of" else ""


def _is_content_word(word: str) -> bool:
    known = (
        PREPOSITIONS | DETERMINERS | BE | HAVE | MODALS | PRONOUNS | STOPS | {"and", "or", "but", "not", "as", "than"}
    )
    return bool(word) and word not in known


def _special(word: str, before: str, after: str, words: Sequence[str], i: int) -> str | None:
    """The tag of a word with rules of its own; None for other words."""
    match word:
        case "read" | "reread":
            if before in HAVE or before in BE:
                return "VBN"
            if before in MODALS:
                return "VERB"
            past = any(w in PAST for w in words) or before in ("he", "she", "it", "who")
            return "VBD" if past else "VERB"
        case "used":
            return "VBD" if after == "to" and (before in BE or before in PRONOUNS or before == "get") else "VERB"
        case "wound":
            return "VBD" if before in PRONOUNS or after in ("up", "down", "around", "its", "their") else "NOUN"
        case "live":
            adjective = after in LIVE_NOUNS or before in BE | {"a", "an", "the", "go", "went", "going", "broadcast"}
            return "ADJ" if adjective else "VERB"
        case "that":
            is_dt = not after or after in STOPS or after in BE or (_is_content_word(after) and before in PREPOSITIONS)
            return "DT" if is_dt else "IN"
        case "close":
            if before in MODALS or ((not before or before in STOPS) and after in DETERMINERS):
                return "VERB"
            return "VERB" if before in PRONOUNS and after in DETERMINERS else "ADJ"
        case "lead":
            return "NOUN" if after in ("pipe", "pipes", "paint", "poisoning") else "VERB"
        case "minute" | "minutes":
            return "NOUN"
    return None
