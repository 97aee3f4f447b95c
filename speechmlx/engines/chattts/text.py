"""Cuts a text into pieces that are said at once: words, the two kinds of stops that the model knows, and marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from speechmlx.engines.chattts.tokens import MARK, ChatTokens
from speechmlx.reading import Pause, SpokenWord, ssml
from speechmlx.reading.lexicon import UserLexicon, user_lexicon
from speechmlx.reading.pauses import parts
from speechmlx.reading.reading import passages
from speechmlx.reading.sentences import clauses
from speechmlx.types import Pronunciation

MOST, ENOUGH = 60, 40
"""Tokens of a piece; short sentences are said together up to so many."""
CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
UNSPACED = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff，。]")
"""Letters and stops that have no blanks beside them."""
STOPS = dict.fromkeys(".!?…", ".") | dict.fromkeys(",;:—()", ",")
"""Marks of a text that has been read, and how they are said."""
WIDE = {".": "。", ",": "，"}
"""The same in Chinese."""
APOSTROPHE = re.compile("['’]")
UNKNOWN = re.compile(r"[^\w ]|[\d_]")
"""What the model does not know inside a word; apostrophes are left out."""


def pieces(
    text: str, language: str | None, pronunciations: tuple[Pronunciation, ...], tokens: ChatTokens
) -> Iterator[str | float]:
    """The pieces of a text and seconds of silence, in order; no piece is without a letter.

    `language`: how numbers are read; None: as the script of each part says.
    """
    together = ""
    for part in parts(text):
        for item in _silence(part.seconds) if part.seconds else _items(part.text, language, pronunciations, tokens):
            if not item:
                continue
            if isinstance(item, float):
                yield from _whole(together)
                yield item
                together = ""
            elif tokens.knows(item):
                together = beside(together, item)
            else:
                for clause in clauses(item, MOST, tokens.count):
                    if together and tokens.count(together) + tokens.count(clause) > ENOUGH:
                        yield from _whole(together)
                        together = ""
                    together = beside(together, clause.strip())
    yield from _whole(together)


def _silence(seconds: float) -> Iterator[float]:
    yield seconds


def _whole(piece: str) -> Iterator[str]:
    """A piece, if there is anything to say in it."""
    if any(letter.isalpha() for letter in piece):
        yield piece


def _items(
    text: str, language: str | None, pronunciations: tuple[Pronunciation, ...], tokens: ChatTokens
) -> Iterator[str | float]:
    """Sentences, marks and silences. A text with marks is read in the parts between them."""
    places = [] if ssml.is_ssml(text) else [found.span() for found in MARK.finditer(text) if tokens.knows(found[0])]
    start = 0
    for first, last in [*places, (len(text), len(text))]:
        between = text[start:first]
        spoken = language or ("zh" if CHINESE.search(text) else "en")
        yield from _sentences(between, spoken, user_lexicon(pronunciations, spoken), is_cut=first < len(text))
        if last > first:
            yield text[first:last]
        start = last


def _sentences(text: str, language: str, lexicon: UserLexicon, is_cut: bool) -> Iterator[str | float]:
    """The sentences of a text as they are said, and silences. Where it is cut by a mark, no stop is added to it."""
    said = ""
    for passage in passages(text, language, lexicon):
        if said:
            yield said
        said = ""
        for token in passage.tokens:
            if isinstance(token, SpokenWord):
                said = beside(said, " ".join(UNKNOWN.sub(" ", APOSTROPHE.sub("", token.text)).split()))
            elif token.seconds:
                yield from (said, token.seconds)
                said = ""
            else:
                said = _stopped(said, token)
    yield said.rstrip(".,。，") if is_cut and text.rstrip()[-1:].isalnum() else said


def _stopped(said: str, pause: Pause) -> str:
    """A text with the stop of a pause, unless it has one."""
    stop = STOPS.get(pause.mark)
    if stop is None or not said or said[-1] in ".,。，":
        return said
    return said + (WIDE[stop] if UNSPACED.match(said[-1]) else stop)


def beside(before: str, after: str) -> str:
    """Both, with a blank between them where their scripts have blanks."""
    if not before or not after:
        return before or after
    joined = UNSPACED.match(before[-1]) or UNSPACED.match(after[0])
    return before + ("" if joined else " ") + after
