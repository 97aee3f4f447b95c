"""Capitals in English text: letters that are spelled (FBI), a word (NASA), a shout (THIS IS IT), camel case (OpenAI).

By the dictionary, by shape, and by the words beside. Pure functions; the time is linear in the number of letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import cache

from speechmlx.reading.english import acronyms
from speechmlx.reading.pronunciation import dictionary

LONGEST = 40  # letters of a word that is looked at; a longer one is plain

SHAPE = re.compile(r"([^\W\d_]+(?:-[^\W\d_]+)*)('[^\W\d_]{0,3})?")
CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
NAME = re.compile(r"(?:Mc|Mac|O|Fitz|De|Di|La|Le|Van)[A-Z][a-z]+")
PLURAL = re.compile(r"([A-Z]{2,})(s)")
VOWEL = re.compile("[AEIOUYaeiouy]")
SAID = re.compile(r"(?:[^AEIOUY]{0,3}[AEIOUY]+){1,6}[^AEIOUY]{0,2}")
CODAS = frozenset(
    "ST RT LT NT LD ND RD CT PT FT XT CK NK RK LK SK LL SS FF TT SH CH TH NG MP LP RP SP LF RF RM RN LM PS TS KS NS RS "
    "LS GS DS MS BS FS WN WL WS WK ZZ GH PH RB LB RD RG NC NX RL RV LV MB".split()
)
ONSETS = frozenset(
    "BL BR CH CL CR DR DW FL FR GH GL GN GR KH KL KN KR PH PL PR PS QU RH SC SCH SCR SH SHR SK SL SM SN SP SPH SPL "
    "SPR SQ ST STR SV SW TH THR TR TS TW VL WH WR ZH".split()
)


_LITTLE = frozenset(("à", "é", "ó", "o", "n"))  # small words between hyphens: vis-à-vis


class Capitals(Enum):
    """What the capitals of a word mean."""

    PLAIN = "plain"
    """Nothing: a word or a name as it is written."""
    LETTERS = "letters"
    """An acronym that is spelled: FBI, DVDs."""
    ACRONYM = "acronym"
    """An acronym that is said as a word: NASA."""
    SHOUT = "shout"
    """A word in a run of capitals: THIS IS IT."""
    STRESSED = "stressed"
    """A single word in capitals: I AM happy."""
    LETTER = "letter"
    """One letter, said by its name: the A of "Vitamin A"."""
    CAMEL = "camel"
    """A name of several parts: OpenAI, iPhone. `parts` gives them."""


def classify(words: Sequence[str]) -> list[Capitals]:
    """What the capitals of each of `words` mean. The words stand in the order of the text; marks may be among them."""
    shouting = _shouting(words)
    return [_kind(words, i, shouting[i]) for i in range(len(words))]


def parts(word: str, spelled: bool = False) -> list[tuple[str, bool]]:
    """The parts of `word`, each with whether it is a letter, said by its name; an ending stays on the last part.

    "OpenAI's" → Open, A (letter), I's (letter); "DVDs" → D, V, Ds (letters); "NASA" → NASA. `spelled` says that the
    word is of the kind LETTERS, which its neighbours decide for "IT" or "US".
    """
    match = SHAPE.fullmatch(word) if len(word) <= LONGEST else None
    if match is None or (len(match[1]) == 1 and match[2] not in (None, "'", "'s")):
        return [(word, False)]
    stem, ending = match[1], match[2] or ""
    if spelled:
        found = _letters(stem)
    elif "-" in stem and not known(stem):
        found = [
            part for piece in stem.split("-") for part in ([(piece, False)] if piece in _LITTLE else _piece(piece))
        ]
    else:
        found = _piece(stem)
    text, is_letter = found[-1]
    return [*found[:-1], (text + ending, is_letter)]


def _letters(stem: str) -> list[tuple[str, bool]]:
    plural = PLURAL.fullmatch(stem)
    letters = [c for c in (plural[1] if plural else stem) if c != "-"]
    return [(c, True) for c in letters[:-1]] + [(letters[-1] + ("s" if plural else ""), True)]


def _piece(stem: str) -> list[tuple[str, bool]]:
    """The parts of a word without hyphens."""
    if len(stem) == 1:
        return [(stem, stem not in "aI")]
    kind = _alone(stem)
    if kind is Capitals.LETTERS:
        return _letters(stem)
    if kind is not Capitals.CAMEL:
        return [(_hyphened().get(stem, stem), False)]
    found: list[tuple[str, bool]] = []
    for piece in _humps(stem):
        one = len(piece) == 1 or (len(piece) == 2 and piece[0].isupper() and piece[1] == "s")
        if one:
            found.append((piece, True))
        elif _alone(piece) is Capitals.LETTERS or (len(piece) == 2 and not VOWEL.search(piece)):
            found += _letters(piece)
        else:
            found.append((piece, False))
    return found


def _humps(stem: str) -> list[str]:
    """ "OpenAI" → Open, AI; "iPhone" → i, Phone; "PhDs" → P, h, Ds; "YouTubers" → You, Tubers."""
    humps, at = [], 0
    for match in CAMEL.finditer(stem):
        humps.append(match[0])
        at = match.end()
    if at != len(stem) or "".join(humps) != stem:  # letters with accents
        return [stem]
    if len(humps) > 1 and humps[-1] == "s" and humps[-2].isupper():
        humps[-2:] = [humps[-2] + "s"]
    found: list[str] = []
    for i, hump in enumerate(humps):
        last = 0 < i == len(humps) - 1 and len(hump) == 2 and hump[1] == "e" and humps[i - 1].isupper()  # PCIe, NVMe
        found += hump if last or hump in ("Ph", "Lt") else [hump]
    return found


@cache
def _hyphened() -> dict[str, str]:
    """ "WiFi" → Wi-Fi: names that the dictionary has with a hyphen."""
    book = dictionary.load(british=False)
    joined = {key.replace("-", ""): key for key in book.gold if key.count("-") == 1 and not key.startswith("-")}
    return {key: name for key, name in joined.items() if key[0].isupper() and not key[1:].islower()}


def known(word: str) -> bool:
    """Whether the dictionary has `word`, in any case, or it is one like "e-mail"."""
    book = dictionary.load(british=False)
    return word.startswith("e-") or book.entry(word) is not None or book.entry(word.lower()) is not None


def _ordinary(word: str) -> bool:
    """Whether `word`, in capitals, is a word or a name of the language."""
    gold, lower = dictionary.load(british=False).gold, word.lower()
    if len(word) < 4:
        return lower in acronyms.SHORT_WORDS
    if lower in acronyms.SPELLED:
        return False
    stems = {lower, *(lower.removesuffix(ending) for ending in ("s", "es", "ed", "d", "ing", "ly", "er"))}
    if any(s in gold or s.capitalize() in gold for s in stems if len(s) > 2):
        return True
    return len(word) > 4 and lower in dictionary.load(british=False).silver


def _alone(stem: str) -> Capitals:
    """The kind of a word without hyphens and endings, without its neighbours."""
    plural = PLURAL.fullmatch(stem)
    if stem.isupper() or plural:
        return _upper(plural[1] if plural else stem)
    if stem[1:] == stem[1:].lower() or _is_name(stem):
        return Capitals.PLAIN
    humps = _humps(stem)
    if len(humps) < 2:
        return Capitals.PLAIN
    said = any(len(hump) > 2 and not hump.isupper() for hump in humps)
    known = stem in dictionary.load(british=False).gold and (said or not all(len(h) == 1 or h.isupper() for h in humps))
    return Capitals.PLAIN if known or stem in _hyphened() else Capitals.CAMEL


def _is_name(stem: str) -> bool:
    """ "McFlurry", "MacDonald", "DeVito"; not "MacBook"."""
    gold = dictionary.load(british=False).gold
    return NAME.fullmatch(stem) is not None and not (stem.startswith("Mac") and stem[3:].lower() in gold)


def _upper(stem: str) -> Capitals:
    lower = stem.lower()
    if lower in acronyms.SPELLED:
        return Capitals.LETTERS
    if lower in acronyms.SAID:
        return Capitals.ACRONYM
    book = dictionary.load(british=False)
    entry = book.gold.get(stem)
    if isinstance(entry, str):
        names = dictionary.unstress(book.spell(stem) or "")
        return Capitals.LETTERS if dictionary.unstress(entry) == names and stem != "OK" else Capitals.ACRONYM
    if lower in acronyms.EITHER:
        return Capitals.LETTERS
    if _ordinary(stem):
        return Capitals.STRESSED
    return Capitals.ACRONYM if len(stem) > 4 and _pronounceable(stem) else Capitals.LETTERS


def _pronounceable(stem: str) -> bool:
    onset = re.match("[^AEIOUY]*", stem)
    start = onset[0] if onset else ""
    coda = stem[-2:] if not VOWEL.search(stem[-2:]) else ""
    return SAID.fullmatch(stem) is not None and (len(start) < 2 or start in ONSETS) and (not coda or coda in CODAS)


def _shouting(words: Sequence[str]) -> list[bool]:
    """Whether each word stands in a run of capitals in which two words are certain, or one is grammar."""
    shouting = [False] * len(words)
    start = 0
    for i in range(len(words) + 1):
        if i == len(words) or any(c.islower() for c in words[i]):
            run = [w for w in words[start:i] if len(w) > 1 and w.isupper()]
            certain = [w for w in run if _certain(w)]
            grammar = any(w.lower() in acronyms.GRAMMAR for w in certain)
            if len(certain) > 1 or (grammar and len(run) > 1):
                shouting[start:i] = [True] * (i - start)
            start = i + 1
    return shouting


def _certain(word: str) -> bool:
    """Whether a word in capitals is no acronym."""
    lower, gold = word.lower(), dictionary.load(british=False).gold
    if "'" in word and lower in gold:
        return True
    acronym = lower in acronyms.EITHER or lower in acronyms.SAID or isinstance(gold.get(word), str)
    return not acronym and _ordinary(word.split("'")[0])


def _kind(words: Sequence[str], i: int, shouting: bool) -> Capitals:
    word = words[i]
    match = SHAPE.fullmatch(word) if len(word) <= LONGEST else None
    if match is None:
        return Capitals.PLAIN
    stem, ending = match[1], match[2]
    if len(stem) == 1 and ending not in (None, "'", "'s"):  # y'all, I'd
        return Capitals.PLAIN
    if len(stem) == 1:
        if stem in "aAI" and not ending:
            return Capitals.LETTER if _is_letter(words, i, shouting) else Capitals.PLAIN
        return Capitals.PLAIN if stem == "I" or (stem == "o" and ending != "'s") else Capitals.LETTER
    if ending and word.isupper() and word.lower() in dictionary.load(british=False).gold:  # DON'T
        return Capitals.SHOUT if shouting else Capitals.STRESSED
    if "-" in stem:
        spelled = not known(stem) and any(is_letter for _, is_letter in parts(stem))
        return Capitals.CAMEL if spelled else Capitals.PLAIN
    kind = _alone(stem)
    if stem.lower() in acronyms.EITHER and stem.isupper():
        return _either(words, i, shouting)
    if len(stem) == 2 and stem[0].isupper() and stem[1] == "s" and stem not in ("Is", "Us", "Ms", "Ls"):
        return Capitals.LETTER if stem != "As" or _near(words, i - 1) in acronyms.MANY else Capitals.PLAIN
    if kind is Capitals.STRESSED and shouting:
        return Capitals.SHOUT
    if kind is Capitals.LETTERS and shouting and len(stem) > 3 and stem.isupper() and _pronounceable(stem):
        return Capitals.PLAIN if stem.lower() in acronyms.SPELLED else Capitals.SHOUT
    return kind


def _near(words: Sequence[str], i: int) -> str:
    """The word at `i` in lower case; "" outside the text."""
    return words[i].lower() if 0 <= i < len(words) else ""


def _either(words: Sequence[str], i: int, shouting: bool) -> Capitals:
    """LETTERS, or SHOUT or STRESSED, of a word that is an acronym as well: US, IT, WHO, ER, LED."""
    word, before, after = words[i].split("'")[0].lower(), _near(words, i - 1), _near(words, i + 1)
    use = acronyms.EITHER[word]
    as_word = Capitals.SHOUT if shouting else Capitals.STRESSED
    if before in use.letters_after or after in use.letters_before or (before[:1].isdigit() and word == "am"):
        return Capitals.LETTERS
    if before in use.word_after or after in use.word_before:
        return as_word
    if word in acronyms.STATES and before == "," and _near(words, i - 2) != "" and words[i - 2].istitle():
        return Capitals.LETTERS
    return as_word if (use.word_in_shout if shouting else use.word_alone) else Capitals.LETTERS


def _is_letter(words: Sequence[str], i: int, shouting: bool) -> bool:
    """Whether "a", "A" or "I" is the letter and not the article or the pronoun."""
    word, before, after = words[i], _near(words, i - 1), _near(words, i + 1)
    if before in ("letter", "letters", "vitamin", "hepatitis", "an"):
        return True
    if word == "I":
        return before == "capital"
    if after in ("is", "equals", "plus", "minus", "times", "squared", "cubed", "over") or not after[:1].isalnum():
        return True
    if after in ("and", "or", "to", "through", "versus", "vs"):
        return word == "A" or len(_near(words, i + 2)) == 1
    if word == "a":
        return False
    if before in acronyms.LETTERED and not shouting:
        return True
    if after in acronyms.AFTER_LETTER:
        return True
    title = words[i + 1][:1].isupper()
    return before[:1].isalpha() and words[i - 1][:1].islower() and not title and not shouting
