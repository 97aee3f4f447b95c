"""Words made of words: hyphenated ones, prefixes, compounds and camel case."""

from __future__ import annotations

import re
from collections.abc import Callable

from speechmlx.reading.pronunciation.dictionary import Dictionary, weaken
from speechmlx.reading.pronunciation.spelling import to_british

Say = Callable[[str], str | None]

PREFIXES = {
    "re": "ɹˌi", "co": "kˌO", "pre": "pɹˌi", "e": "ˈi", "de": "dˌi", "bi": "bˌI", "tri": "tɹˌI", "anti": "ˌænti",
    "non": "nˌɑn", "un": "ˌʌn", "dis": "dˌɪs", "mis": "mˌɪs", "semi": "sˌɛmi", "multi": "mˌʌlti", "pro": "pɹˌO",
    "eco": "ˌikO", "bio": "bˌIO", "neo": "nˌiO", "uni": "jˌunə", "hyper": "hˌIpəɹ", "poly": "pˌɑli", "proto": "pɹˌOtO",
    "pseudo": "sˌudO", "quasi": "kwˌɑzi", "retro": "ɹˌɛtɹO", "electro": "ɪlˌɛktɹO", "socio": "sˌOʃiO", "afro": "ˌæfɹO",
}  # fmt: skip
"""Said with the word that follows. American; the British follow by rule."""

_HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_INNER = {
    "a": "ɐ",
    "an": "ɐn",
    "the": "ðə",
    "to": "tə",
    "of": "əv",
    "and": "ænd",
    "in": "ɪn",
    "for": "fɔɹ",
    "or": "ɔɹ",
    "n": "ən",
}
MAC = {"Mc": "mək", "Mac": "mək"}
"""The first part of a name like McFlurry."""
MOST_PARTS = 12


def hyphenated(text: str, say: Say, letters: Callable[[str], str], book: Dictionary) -> str | None:
    """Phonemes of a word with hyphens: asked whole, then as one word, then part by part."""
    whole = book.pronounce(text, "")
    if whole:
        return whole
    parts = [part for part in text.split("-") if part]
    if len(parts) > MOST_PARTS:
        return " ".join(filter(None, (say(part) for part in parts)))
    first = parts[0].lower() if parts else ""
    if len(parts) == 2 and first in PREFIXES and first != "re":
        one = book.pronounce("".join(parts), "")
        if one:
            return one
    found: list[str] = []
    for i, part in enumerate(parts):
        lower = part.lower()
        if i == 0 and lower in PREFIXES and len(parts) > 1 and not (len(part) > 1 and part.isupper()):
            found.append(to_british(PREFIXES[lower]) if book.british else PREFIXES[lower])
        elif 0 < i < len(parts) - 1 and lower in _INNER:
            found.append(f" {_INNER[lower]}")
        elif len(part) == 1 or (part.isupper() and len(part) < 4 and book.entry(part) is None):
            found.append(" " + letters(part))
        else:
            said = say(part) or ""
            joins = i == 1 and first in PREFIXES and len(found) == 1
            found.append(said if joins else f" {said}")
    return "".join(found).strip() or None


def humps(word: str) -> list[str]:
    """ "BlickThrane" → Blick, Thrane; "McFlurry" stays with its prefix as a part of its own."""
    if word.isupper() or word[1:].islower() or not word.isascii():
        return [word]
    return _HUMPS.findall(word) or [word]


def compound(word: str, book: Dictionary) -> str | None:
    """ "bookcart" → book + cart, the second with weaker stress. Both halves have at least four letters."""
    for cut in sorted(range(4, len(word) - 3), key=lambda c: abs(2 * c - len(word))):
        halves = [book.gold.get(half) for half in (word[:cut], word[cut:])]
        if all(isinstance(h, str) for h in halves):
            return str(halves[0]) + weaken(str(halves[1]))
    return None
