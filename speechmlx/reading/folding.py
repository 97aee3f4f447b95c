"""Unicode folded to what it means for a reader: one form of each letter, quote, dash and blank. Pure, linear.

NFKC where it is right: full-width and styled letters, ligatures, Roman numerals, circled numbers, squared units. What
has a meaning of its own stays: "²", "₂", "½", "√", "≠", "€", "′", "−", "–", "—", letters with their marks (ø ł đ ß æ),
other scripts. Invisible characters vanish, pictographs have nothing to say.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from speechmlx.reading import roman
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.quotes import quotation_marks

_MARKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Marks that combine with the character before them; those of other scripts are letters of theirs."""
ODD = re.compile(
    rf"[\u2160-\u217f]{{1,15}}+|[\u24b6-\u24e9]{{1,40}}+|[ -~][{_MARKS}]++"
    rf"|[\u1100-\u115f][\u1160-\u11a7][\u11a8-\u11ff]?|[^ -~][{_MARKS}\u3099\u309a\uff9e\uff9f]*+"
)
"""A character that may be folded, with its marks; or the parts of a Korean syllable."""
BLANKS = re.compile(r" {2,}")
MARK = re.compile(rf"[{_MARKS}]")
INVISIBLE = re.compile(r"[\u115f\u1160\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]")
"""Selectors of variants and fillers; Unicode counts them with the marks and the letters."""
EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f]")
WIDE_MARKS = frozenset("，．！？：；（）［］｛｝｡､｢｣～")
"""They stand for pauses without a blank, in Chinese and Japanese."""
JOINERS = "\u200c\u200d"
"""They change the word between two letters of Persian or Hindi; elsewhere they are invisible."""
ORDINAL_LANGUAGES = frozenset("es pt it ca gl".split())
"""Where "1º" is an ordinal; it is a misspelt degree elsewhere."""

SAME = frozenset("²³¹½¼¾№™℠©®℗°µ…′″‴♭♮♯•‣◦▪·‰§¶ªº‘’")
"""What stays, although NFKC or its category would change it."""
FOLDED = (
    dict.fromkeys("‘’‚‛ʼʻʽˈ´`‹›❛❜＇՚ꞌ", "'")
    | dict.fromkeys("„‟«❝〝", "“")
    | dict.fromkeys("»❞〞〟", "”")
    | dict.fromkeys("‐‑⁃﹣－", "-")
    | dict.fromkeys("‒", "–")
    | dict.fromkeys("―⸺⸻﹘", "—")
    | dict.fromkeys("⁄∕", "/")
    | {"ʹ": "′", "ʺ": "″", "∗": "*", "∶": ":", "‥": "…", "⋯": "…", "⸱": "·", "¨": "", "¯": "", "¸": "", "\ufffc": " "}
)
SCRIPT_SIGNS = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|(?:NEGATIVE |CROSSED NEGATIVE )?(?:CIRCLED|SQUARED) LATIN CAPITAL LETTER) ([A-Z])$"
)


def fold(text: MappedText, language: str = "en") -> MappedText:
    """The text folded, with one blank for each run of blanks. `language`: an ISO code ("pt", "en-gb")."""
    if text.text.isascii() and text.text.isprintable() and "  " not in text.text and "'" not in text.text:
        return text
    quotes = quotation_marks(text.text)
    wide = EAST_ASIAN.search(text.text) is not None
    edits = [(at, at + 1, mark) for at, mark in quotes.items()]
    for found in ODD.finditer(text.text):
        if found.start() in quotes:
            continue
        new = _cluster(found[0])
        if found[0] in WIDE_MARKS:
            new = found[0] if wide else _narrowed(text.text, found.start(), new)
        elif found[0] in CONTEXT:
            new = _in_context(text.text, found.start(), new, language)
        elif "\u2160" <= found[0][0] <= "\u217f":
            new = _numeral(text.text, found.start(), new)
        elif "\u24b6" <= found[0][0] <= "\u24e9":
            new = _apart(text.text, found.start(), found.end(), _circled(new))
        elif new != found[0] and new.isdecimal() and unicodedata.category(found[0][0]) == "No":
            new = _apart(text.text, found.start(), found.end(), new)
        if new != found[0]:
            edits.append((found.start(), found.end(), new))
    folded = text.rewritten(sorted(edits)) if edits else text
    runs = [(run.start(), run.end(), " ") for run in BLANKS.finditer(folded.text)]
    return folded.rewritten(runs) if runs else folded


RUNS = frozenset(map(chr, (*range(0x2160, 0x2180), *range(0x24B6, 0x24EA))))
"""Characters of Roman numerals and letters in circles, which are folded together."""
NAMED = re.compile(r"\b[A-Z][a-z]+\.? $")
CONTEXT = frozenset("ºμ♥❤" + JOINERS)
LOVING = re.compile(r"\b(?:i|you|we|they|who) $", re.IGNORECASE)
BELOVED = re.compile(r".[\ufe0f]? ?\w")


def _in_context(text: str, at: int, new: str, language: str) -> str:
    """What becomes of a character whose neighbours decide."""
    character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if character == "º":
        degree = before.isdigit() and (after in ("C", "F") or language[:2] not in ORDINAL_LANGUAGES)
        return "°" if degree or before.isspace() else character
    if character == "μ":  # a unit: "10 μg"
        unit = after.isascii() and after.isalpha() and not before.isalpha()
        return "µ" if unit else character
    if character in "♥❤":  # "I ♥ NY"
        return "love" if LOVING.search(text, max(0, at - 6), at) and BELOVED.match(text, at) else new
    keeps = all(c and not c.isascii() and unicodedata.category(c)[:1] in "LM" for c in (before, after))
    return character if keeps else new


def _narrowed(text: str, at: int, mark: str) -> str:
    """A wide mark in other text: a blank comes after it, as after the narrow one."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return mark if not after.isalnum() or (before.isdecimal() and after.isdecimal()) else f"{mark} "


def _apart(text: str, start: int, end: int, said: str) -> str:
    """What stands in circles, apart from what stands close to it."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return f"{' ' * before.isalnum()}{said}{' ' * after.isalnum()}"


KEPT = 64
"""Characters of a cluster that is remembered, at most."""


def _circled(letters: str) -> str:
    """Letters in circles: those of a list one by one, those of a word together."""
    in_order = all(ord(after) - ord(before) == 1 for before, after in pairwise(letters))
    return " ".join(letters.upper()) if in_order else letters


def _numeral(text: str, at: int, numeral: str) -> str:
    """Characters of a Roman numeral: letters after a name ("Henry Ⅷ", "Chapter Ⅳ"), else the number."""
    number = roman.value(numeral.upper())
    return numeral.upper() if number is None or NAMED.search(text, max(0, at - 20), at) else str(number)


def _cluster(cluster: str) -> str:
    """A character with the marks that combine with it, folded."""
    return _folded_cluster(cluster) if len(cluster) <= KEPT else _folded_cluster.__wrapped__(cluster)


@lru_cache(8192)
def _folded_cluster(cluster: str) -> str:
    if len(cluster) == 1 or cluster[0] in RUNS:
        return "".join(map(_character, cluster))
    if len(cluster) > 40:  # no writing has so many marks
        cluster = cluster[:40]
    if "\uff65" < cluster[0] < "\uffa0":
        return unicodedata.normalize("NFKC", cluster)
    composed = unicodedata.normalize("NFC", cluster)
    return (
        ""
        if MARK.match(composed) or INVISIBLE.match(composed)
        else _character(composed[0]) + MARK.sub("", composed[1:])
    )


@lru_cache(8192)
def _character(character: str) -> str:
    if character in FOLDED:
        return FOLDED[character]
    if character in SAME or " " <= character <= "~":
        return character
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category[0] == "C" or MARK.match(character) or INVISIBLE.match(character):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    kind, _, codes = unicodedata.decomposition(character).rpartition(">")
    if kind:
        return _decomposed(character, kind, [chr(int(code, 16)) for code in codes.split()])
    if category in ("So", "Sk", "No", "Lm", "Ll"):
        return _sign(character, category)
    return unicodedata.normalize("NFC", character)


def _decomposed(character: str, kind: str, parts: list[str]) -> str:
    """A character that NFKC takes apart."""
    if kind == "<fraction":
        return character
    if kind in ("<super", "<sub") and not (len(parts) == 1 and "a" <= parts[0] <= "z" and character not in "ⁿₙⁱ"):
        return character
    return "".join(map(_character, parts))


def _sign(character: str, category: str) -> str:
    """A symbol: its letter or number if it is one in a frame, else nothing to say."""
    name = unicodedata.name(character, "")
    if letter := SCRIPT_SIGNS.match(name):
        return letter[1].lower() if "SMALL" in name else letter[1]
    if category == "No" and "CIRCLED" in name:
        return f"{unicodedata.numeric(character):g}"
    return " " if category in ("So", "Sk") else character
