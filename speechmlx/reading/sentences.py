"""Cuts text into sentences and clauses, in any language, without losing a character. Pure functions.

Pieces keep the white space that follows them, so joining them gives the text back.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator

# Stops that need no space after them: Chinese, Japanese, Hindi, Urdu, Armenian, Ethiopic, Burmese.
WIDE = "。！？．｡।॥۔։።၊။"
STOPS = f".!?…؟{WIDE}"
CLOSERS = "\"'”’»›)]}」』】）》〉"
CLAUSE_STOPS = ";:,—–،؛，、；："

# Before a name or a number: a full stop after these ends no sentence.
TITLES = frozenset(
    "dr mr mrs ms mx prof sr jr st rev hon gen col capt cpt lt sgt maj cmdr adm gov sen rep pres mt ft no nos vol fig "
    "figs pp ch sec art approx ca cf vs e.g i.e eg ie "
    "m mm mme mmes mlle mlles me sig sigg sra srta dra dña exmo ing arch avv dott herr fr hr z.b d.h bzw usw evtl nr "
    "bd abs av bd pl p.ex ej núm pág".split()
)
# These end a sentence when a capital follows.
SHORT = frozenset(
    "etc inc ltd corp co bros dept est a.m p.m u.s u.k u.n e.u d.c ph.d m.d b.a m.a jan feb mar apr jun jul aug sep "
    "sept oct nov dec mon tue tues wed thu thur thurs fri sat sun ave blvd rd hwy al cie ecc usw ltda".split()
)
ENDING = re.compile(rf"[{re.escape(STOPS)}]+[{re.escape(CLOSERS)}]*")
BREAK = re.compile(r"(?<![^\S\n])[^\S\n]*\n(?:\s*\n\s*|(?=\s*(?:[-*•#>]|\d{1,3}[.)])\s)|(?<=[:])\s*)")
WORD = re.compile(r"[^\s(\[{\"'“‘«¿¡]+$")
CLAUSE = re.compile(rf"[{re.escape(CLAUSE_STOPS)}]+[{re.escape(CLOSERS)}]*(?:\s+|(?<=[，、；：]))|\s[—–-]+\s+")
SPACE = re.compile(r"\s+")
# A speaker may take a breath before these: English, Spanish, French, Italian, Portuguese.
LINKS = (
    "and or but because although since while when where which who that if than to in on at for from with without by "
    "into about through after before during between over under against "
    "y o pero porque aunque cuando donde que con para por desde hasta entre sobre "
    "et ou mais parce lorsque quand où qui dans avec sans pour par depuis vers chez "
    "e ed ma perché quando dove che nel nella per da tra fra oppure "
    "ou mas porque embora quando onde com sem para desde até entre"
)
LINK = re.compile(rf"(?<=\s)(?:{'|'.join(sorted(set(LINKS.split())))})(?=\s)", re.IGNORECASE)
OPENERS = re.compile(r"[\"'“‘«(\[{¿¡]+")


def sentences(text: str) -> list[str]:
    """ "Dr. Lee paid 3.50. He left." → ["Dr. Lee paid 3.50. ", "He left."]; [] for nothing but white space."""
    pieces = list(_cut(text, _sentence_ends(text)))
    return _without_blanks(pieces)


def finished(text: str, least: int = 0, by_clause: bool = False) -> tuple[list[str], str]:
    """Split text that is still arriving into the sentences that are certainly complete, and the rest.

    With `by_clause`, clauses of at least `least` characters count as well. A full stop counts only once the next
    character is there: "3." may become "3.5".
    """
    ends = [end for end in _sentence_ends(text) if end < len(text) or text[end - 1] in WIDE or text.endswith("\n\n")]
    if by_clause:
        ends = sorted({*ends, *(m.end() for m in CLAUSE.finditer(text) if m.end() < len(text))})
    pieces, start = [], 0
    for end in ends:
        if len(text[start:end].strip()) >= (least if text[end - 1 :].strip() else 0):
            pieces.append(text[start:end])
            start = end
    whole = _without_blanks(pieces)
    return whole, text[start:] if whole else text


def phrase(text: str, least: int) -> tuple[str, str]:
    """Split text that is still arriving into a first phrase of at least `least` characters, and the rest.

    The cut is before a word that links the phrase to the next one. The phrase is "" if there is no such word.
    """
    link = LINK.search(text, least)
    end = link.start() if link else 0
    return text[:end], text[end:]


def clauses(text: str, limit: float, measure: Callable[[str], float] = len) -> list[str]:
    """Cut text into pieces of at most `limit`: at clause marks, else between words, else anywhere.

    Neighbouring clauses stay together while they fit, so most text comes back in one piece.
    """
    return _without_blanks(_fitting(text, limit, measure))


def _fitting(text: str, limit: float, measure: Callable[[str], float]) -> list[str]:
    if len(text) < 2 or measure(text) <= limit:
        return [text]
    for ends in (_sentence_ends(text), _matches(CLAUSE, text), _matches(SPACE, text)):
        parts = list(_cut(text, ends))
        if len(parts) > 1:
            return _joined([piece for part in parts for piece in _fitting(part, limit, measure)], limit, measure)
    half = len(text) // 2
    return [*_fitting(text[:half], limit, measure), *_fitting(text[half:], limit, measure)]


def _joined(pieces: list[str], limit: float, measure: Callable[[str], float]) -> list[str]:
    joined: list[str] = []
    for piece in pieces:
        if joined and measure(joined[-1] + piece) <= limit:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def _matches(pattern: re.Pattern[str], text: str) -> list[int]:
    return [m.end() for m in pattern.finditer(text)]


def _cut(text: str, ends: list[int]) -> Iterator[str]:
    start = 0
    for end in [*ends, len(text)]:
        if end > start:
            yield text[start:end]
            start = end


def _without_blanks(pieces: list[str]) -> list[str]:
    """Join blank pieces to a neighbour. Text that is only white space gives no piece."""
    kept: list[str] = []
    lead = ""
    for piece in pieces:
        if piece.strip():
            kept.append(lead + piece)
            lead = ""
        elif kept:
            kept[-1] += piece
        else:
            lead += piece
    return kept


def _sentence_ends(text: str) -> list[int]:
    """Offsets of the ends of sentences, after their white space."""
    breaks = [m.end() for m in BREAK.finditer(text)]
    ends, start = set(breaks), 0
    for m in ENDING.finditer(text):
        start = max([start, *breaks[bisect(breaks, start) : bisect(breaks, m.start())]])
        if _ends_sentence(text, start, m):
            start = _matched(SPACE, text, m.end())
            ends.add(start)
    return sorted(ends)


def _ends_sentence(text: str, start: int, m: re.Match[str]) -> bool:
    mark, after = m[0], text[m.end() : m.end() + 1]
    if mark[0] in WIDE:
        return not (after and after in STOPS)
    if after and not after.isspace():
        return False
    following = _matched(SPACE, text, m.end())
    opened = _matched(OPENERS, text, following)
    if text[opened : opened + 1].islower():
        return False
    if mark[0] != "." or len(mark) > 1 or following == len(text):
        return True
    word = WORD.search(text, max(start, m.start() - 40), m.start())
    if word is None:
        return True
    first = word[0].isdigit() and not text[start : word.start()].strip()  # of a list: "1. Milk"
    return not first and _may_end(word[0].lstrip("-—").lower(), word[0])


def _matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    """The end of the match of `pattern` at offset `at`; `at` if it does not match."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _may_end(word: str, written: str) -> bool:
    """Whether a full stop after this word ends the sentence, if a capital letter or a digit follows."""
    if word in SHORT:
        return True
    if word in TITLES:
        return False
    return not (len(written) == 1 and written.isalpha() and written.isupper()) or written == "I"
