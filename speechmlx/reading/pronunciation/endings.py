"""Contractions and possessives of any word, and endings that speech drops: should've, OpenAI's, that'll, goin'."""

from __future__ import annotations

from collections.abc import Callable

from speechmlx.reading.pronunciation.dictionary import VOWELS, Dictionary

Say = Callable[[str], str | None]

CONTRACTED = {
    "must've": "mˈʌstəv",
    "should've": "ʃʊdəv",
    "would've": "wʊdəv",
    "could've": "kʊdəv",
    "might've": "mˈItəv",
    "shouldn't": "ʃˈʊdᵊnt",
    "y'all": "jˈɔl",
    "y'know": "jənˈO",
    "d'you": "dju",
    "'til": "tˈɪl",
    "'bout": "bˈWt",
    "'round": "ɹˈWnd",
    "'cos": "kəz",
    "'cuz": "kəz",
    "'coz": "kəz",
    "'kay": "kˈA",
    "'ere": "ˈɪɹ",
    "'n": "ən",
    "n'": "ən",
    "an'": "ən",
    "o'": "ə",
    "ol'": "ˈOl",
    "lil'": "lˈɪl",
    "li'l": "lˈɪl",
    "th'": "ðə",
    "s'pose": "spˈOz",
    "'s": "z",
    "'twas": "twˈʌz",
    "dunno": "dənˈO",
    "innit": "ˈɪnɪt",
    "imma": "ˈImə",
    "finna": "fˈɪnə",
    "ima": "ˈImə",
    "who's": "hˌuz",
    "let's": "lˈɛts",
}
"""What the rules would get wrong. American; the British follow by rule."""

PREFIXES = {"o": "O", "d": "d", "l": "l", "m": "m", "t": "t", "al": "æl", "dell": "dɛl", "dall": "dɑl", "sant": "sɑnt"}
"""What stands before an apostrophe in names: O'Brien, D'Angelo, L'Oréal."""


def contracted(word: str, say: Say, book: Dictionary) -> str | None:
    """Phonemes of `word`, which has an apostrophe, made of those of its parts; None if it is no contraction."""
    base, _, ending = word.rpartition("'")
    lower = ending.lower()
    if not base:
        return None
    if not ending:
        return _dropped(base, say)
    if lower == "t" and base[-1:].lower() == "n" and len(base) > 1:
        stem = say(base[:-1])
        return stem and _flapped(stem, book) + ("ᵊnt" if stem[-1] not in VOWELS else "nt")
    join = _JOINS.get(lower)
    if join is not None:
        stem = say(base)
        return stem and join(stem, book)
    prefix = PREFIXES.get(base.lower())
    rest = say(ending) if prefix else None
    return prefix + rest if prefix and rest else None


def _dropped(base: str, say: Say) -> str | None:
    """ "goin'" is "going" with n at its end; "dogs'" sounds like "dogs"."""
    if base.lower().endswith("in") and len(base) > 3:
        whole = say(base + "g")
        if whole and whole.endswith("ŋ"):
            return whole[:-1] + "n"
    return say(base)


def _flapped(stem: str, book: Dictionary) -> str:
    vowel = len(stem) > 1 and stem[-1] == "t" and stem[-2] in VOWELS
    return stem[:-1] + "ɾ" if vowel and not book.british else stem


def _s(stem: str, book: Dictionary) -> str:
    return book.add_s(stem)


def _d(stem: str, book: Dictionary) -> str:
    if stem[-1] in VOWELS or stem[-1] in "ɹː":
        return stem + "d"
    return _flapped(stem, book) + ("ɪd" if book.british and stem[-1] in "td" else "əd")


def _ll(stem: str, book: Dictionary) -> str:
    return stem + "l" if stem[-1] in VOWELS else _flapped(stem, book) + "ᵊl"


def _ve(stem: str, book: Dictionary) -> str:
    return stem + "v" if stem[-1] in VOWELS else stem + "əv"


def _re(stem: str, book: Dictionary) -> str:
    if stem[-1] == "ɹ":
        return stem + "əɹ"
    return stem + "ə" if book.british else stem + ("ɹ" if stem[-1] == "ə" else "əɹ")


def _m(stem: str, book: Dictionary) -> str:
    return stem + ("m" if stem[-1] in VOWELS else "əm")


_JOINS: dict[str, Callable[[str, Dictionary], str]] = {
    "s": _s, "d": _d, "ed": _d, "ll": _ll, "ve": _ve, "re": _re, "m": _m,
}  # fmt: skip
ENDINGS = frozenset(_JOINS) | {"t"}
