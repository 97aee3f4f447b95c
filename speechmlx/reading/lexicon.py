"""A user's lexicon: words and phrases with the words or phonemes that they are said as.

An entry counts where its whole spelling stands in the text: "win" for "Nguyen" changes no word in "Nguyens Street" but
the name. In English it may carry an ending: "Nguyen's", "the Nguyens", "Nguyen'll". The longest entry wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby

from speechmlx.reading.folding import fold
from speechmlx.reading.mapped import MappedText
from speechmlx.reading.pronunciation import alphabet
from speechmlx.reading.tokens import Pause, SpokenWord, Token
from speechmlx.types import Pronunciation

JOINED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Chinese characters, which have no blanks between words: an entry may begin and end at any of them."""
UNIT = re.compile(rf"[{JOINED}]|(?:(?![{JOINED}])[\w\u0300-\u036f\u0900-\u0963])+|[^\w\s]")
ENDING = re.compile(r"'(?:s|d|ll|ve|re|m)(?!\w)|(?<=s)'(?!\w)", re.IGNORECASE)
POSSESSIVE = re.compile(r"'s(?!\w)|(?<=s)'(?!\w)", re.IGNORECASE)
"""The endings of languages other than English."""
VOICELESS, SIBILANTS = tuple("ptkfθ"), ("s", "z", "ʃ", "ʒ", "ʧ", "ʤ")
HISSING = ("s", "x", "z", "ch", "sh")
"""Ends of words whose plural is in "es"."""
ENDING_UNITS = 3
"""An apostrophe, the letters behind it, and what follows."""
DIALECTS = {"en": "en-us"}
"""What a language without a region means."""


def folded(text: str) -> str:
    """`text` with composed letters and straight apostrophes. As long as the text where that is composed."""
    return unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u02bc", "'")


@dataclass(frozen=True, slots=True)
class LexiconMatch:
    """An entry at text[start:end], which contains its ending: "s", "'s", ... or ""."""

    start: int
    end: int
    entry: Pronunciation
    ending: str


@dataclass(slots=True)
class _Node:
    """The entries whose spellings begin with the same units."""

    entries: dict[str, Pronunciation] = field(default_factory=dict)
    """Those that end here, by their spelling: they differ in capitals."""
    following: dict[str, _Node] = field(default_factory=dict)
    """By the next unit."""


class UserLexicon:
    """The entries for text in one language."""

    def __init__(self, entries: Iterable[Pronunciation], language: str) -> None:
        """The first of `entries` with a spelling counts; entries of another language than `language` do not."""
        self._language = DIALECTS.get(language, language)
        self._is_english = self._language.startswith("en")
        self._root = _Node()
        self._longest = 0
        """Units of the longest entry."""
        for entry in entries:
            if _is_of(entry.language, self._language):
                spelling, node = fold(MappedText.of(entry.spelling), language).text, self._root
                units = [unit for unit, _, _ in _units(spelling)]
                self._longest = max(self._longest, len(units))
                for unit in units:
                    node = node.following.setdefault(unit, _Node())
                node.entries.setdefault(" ".join(spelling.split()), entry)

    def __bool__(self) -> bool:
        return bool(self._root.following)

    def matches(self, text: str) -> Iterator[LexiconMatch]:
        """The entries in `text`, in order, none within another."""
        straight = folded(text)
        if len(straight) == len(text):
            text = straight
        units = list(_units(text))
        at = 0
        while at < len(units):
            found = self._at(text, units, at)
            if found is not None:
                yield found
            at += 1
            while found is not None and at < len(units) and units[at][1] < found.end:
                at += 1

    def apply(self, tokens: Sequence[Token], text: str) -> list[Token]:
        """`tokens`, with offsets into `text`, with the words of each entry in place of those that it covers.

        Words whose phonemes were given stay, and so does an entry that is only a part of what was read as one: of an
        address or a number. A hyphenated word is taken apart.
        """
        groups = [list(group) for _, group in groupby(tokens, lambda token: (token.start, token.end))]
        read: list[Token] = []
        at = 0
        for match in self.matches(text):
            while at < len(groups) and groups[at][0].end <= match.start:
                read += groups[at]
                at += 1
            end = at
            while end < len(groups) and groups[end][0].start < match.end:
                end += 1
            words = self._replaced(groups[at:end], match, text)
            if words is None:
                continue
            read += words[0]
            at = end
            if words[1]:
                at = end - 1
                groups[at] = words[1]
        return read + [token for group in groups[at:] for token in group]

    def respelt(self, text: str) -> str:
        """`text` with the words that each entry sounds like in its place; one that has phonemes stays as it is."""
        said, at = "", 0
        for match in self.matches(text):
            if match.entry.sounds_like:
                said += text[at : match.start] + " ".join(_sounds(match))
                at = match.end
        return said + text[at:]

    def settled(self, text: str) -> int:
        """Up to which character of `text`, which is still being written, `respelt` gives the same whatever follows."""
        if not self:
            return len(text)
        units = list(_units(text))
        if len(units) < self._longest + ENDING_UNITS:
            return 0
        place = units[-self._longest - ENDING_UNITS][1]
        return max([place, *(match.end for match in self.matches(text) if match.start < place)])

    def _at(self, text: str, units: Sequence[tuple[str, int, int]], at: int) -> LexiconMatch | None:
        """The longest entry that begins with units[at]."""
        longest, node, start = None, self._root, units[at][1]
        for number in range(at, len(units)):
            unit, _, end = units[number]
            unit = unit.lstrip() if number == at else unit
            for stem, plural in self._stems(unit):
                entries = node.following[stem].entries if stem in node.following else {}
                if entries and (entry := _spelt(entries, " ".join(text[start : end - len(plural)].split()))):
                    found = (ENDING if self._is_english else POSSESSIVE).match(text, end)
                    ending = found[0] if found else ""
                    longest = LexiconMatch(start, end + len(ending), entry, plural + ending)
                    break
            if unit not in node.following:
                break
            node = node.following[unit]
        return longest

    def _stems(self, unit: str) -> Iterator[tuple[str, str]]:
        """A unit and its singulars, each with the ending that it lost."""
        yield unit, ""
        if self._is_english and unit.endswith("s") and len(unit.lstrip()) > 2:
            yield unit[:-1], "s"
            if unit[:-2].endswith(HISSING):
                yield unit[:-2], "es"

    def _replaced(
        self, groups: Sequence[Sequence[Token]], match: LexiconMatch, text: str
    ) -> tuple[list[Token], list[Token]] | None:
        """What is read up to the end of `match`, and the rest of the last group; None: the entry does not count."""
        words = [token for group in groups for token in group if isinstance(token, SpokenWord)]
        if not words or any(word.phonemes is not None for word in words):
            return None
        before, after = text[groups[0][0].start : match.start], text[match.end : groups[-1][0].end]
        if (before and not _is_plain(groups[0], text)) or (after and not _is_plain(groups[-1], text)):
            return None
        emphasis = max((word.emphasis for word in words), key=abs)
        read: list[Token] = []
        if left := before.rstrip("-"):
            read.append(SpokenWord(left, match.start - len(before), match.start - len(before) + len(left)))
        read += (replace(word, emphasis=emphasis) for word in self._said(match, text))
        right = after.lstrip("-")
        end = match.end + len(after)
        return read, [SpokenWord(right, end - len(right), end)] if right else []

    def _said(self, match: LexiconMatch, text: str) -> Iterator[SpokenWord]:
        """The words of an entry with its ending."""
        entry, ending = match.entry, match.ending.lower()
        if entry.phonemes:
            said = entry.phonemes + "s" * (ending == "'s")
            if self._is_english:
                british = self._language == "en-gb"
                said = ended(alphabet.given(entry.phonemes, british), ending, british)
            yield SpokenWord(text[match.start : match.end], match.start, match.end, phonemes=said)
            return
        for word in _sounds(match):
            is_letter = len(word) == 1 and word.isupper()
            yield SpokenWord(word.lower() if is_letter else word, match.start, match.end, is_letter)


def _sounds(match: LexiconMatch) -> list[str]:
    """The words that an entry with its ending sounds like."""
    words, ending = match.entry.sounds_like.split(), match.ending.lower()
    if ending[:1] in ("s", "e"):
        ending = ("es" if words[-1].lower().endswith(HISSING) else "s") + ending.lstrip("es")
    words[-1] += ending.removesuffix("'")
    return words


@lru_cache(maxsize=8)
def user_lexicon(entries: tuple[Pronunciation, ...], language: str) -> UserLexicon:
    """The lexicon of `entries` for a language; the same one again for the same entries."""
    return UserLexicon(entries, language)


def ended(phonemes: str, ending: str, british: bool) -> str:
    """English phonemes with an ending: "s", "es", "'s", "s'", "'d", "'ll", "'ve", "'re", "'m" or ""."""
    stem = phonemes.rstrip()
    match ending.rpartition("'")[2] or ending.rstrip("'"):
        case "s" | "es":
            if stem.endswith(VOICELESS):
                return f"{stem}s"
            return stem + (("ɪz" if british else "ᵻz") if stem.endswith(SIBILANTS) else "z")
        case "d":
            return stem + (("ɪd" if british else "ᵻd") if stem.endswith(("t", "d")) else "d")
        case "ll":
            return f"{stem}ᵊl"
        case "ve":
            return f"{stem}əv"
        case "re":
            return stem + ("ə" if british else "əɹ")
        case "m":
            return f"{stem}əm"
    return stem


def _units(text: str) -> Iterator[tuple[str, int, int]]:
    """(unit, start, end): words, marks and joined characters in lower case, with a blank before those after a blank."""
    behind = 0
    for found in UNIT.finditer(text):
        gap = " " if 0 < behind < found.start() else ""
        yield gap + found[0].lower(), found.start(), found.end()
        behind = found.end()


def _spelt(variants: dict[str, Pronunciation], written: str) -> Pronunciation | None:
    """The entry for a word as it is `written`: spelt like it, else in lower case, else for a word all in capitals."""
    exact = variants.get(written) or variants.get(written.lower())
    if exact or not written.isupper():
        return exact
    return next((entry for spelling, entry in variants.items() if spelling.upper() == written), None)


def _is_plain(group: Sequence[Token], text: str) -> bool:
    """Whether a group is one word that is read as it is written, and so can be taken apart."""
    first = group[0]
    if len(group) > 1 or isinstance(first, Pause):
        return False
    return first.text.lower() == folded(text[first.start : first.end]).lower()


def _is_of(entry: str, language: str) -> bool:
    """Whether an entry of one language counts for text in another: "en" for "en-gb", "pt-br" for "pt"."""
    return not entry or f"{language}-".startswith(f"{entry}-") or f"{entry}-".startswith(f"{language}-")
