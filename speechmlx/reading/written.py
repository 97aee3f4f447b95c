"""The words of a text as they stand in it, for the words that are said: "$5" where a voice says "five dollars"."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from speechmlx.reading.mapped import MappedText
from speechmlx.reading.tokens import SpokenWord, Token

UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
"""A letter of Chinese or Japanese, whose words stand together without blanks."""
OPENERS = frozenset("“‘„«‹([{<¿¡「『（【《〈｢")
STRAIGHT = frozenset("\"'*_")
"""They open only after a blank."""
TAGS = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """A word as it is written, with the signs that stand beside it; or several that are said as one: "$5 million"."""

    text: str
    """Without marks of Markdown, HTML and SSML."""
    start: int
    end: int
    """The characters of the input, any marks between them too."""

    def moved(self, places: int) -> WrittenWord:
        """The word of an input that has so many characters more before it."""
        return replace(self, start=self.start + places, end=self.end + places) if places else self


def written_words(tokens: Sequence[Token], text: MappedText, source: str) -> list[WrittenWord]:
    """The words of a passage in their order, apart from each other.

    `text` is the passage without its marks, `source` the input that both have their places in. Each character of `text`
    but the blanks is of exactly one word: signs that are not said go with the word before them. Words that are said for
    the same characters are one, and those without a blank or a pause between them. Linear in the length.
    """
    spans = _spans(tokens, text, source)
    if not spans:
        return []
    cuts = [0, *(_cut(text, one[1], other[0]) for one, other in pairwise(spans)), len(text)]
    return [_word(text[start:end], span, source) for (start, end), span in zip(pairwise(cuts), spans, strict=True)]


def _spans(tokens: Sequence[Token], text: MappedText, source: str) -> list[tuple[int, int]]:
    """The characters of the input that each written word is said for."""
    spans: list[tuple[int, int]] = []
    paused = False
    for token in tokens:
        if not isinstance(token, SpokenWord):
            paused = paused or bool(token.mark or token.seconds)
            continue
        if spans and (token.start < spans[-1][1] or not (paused or _apart(text, source, spans[-1][1], token.start))):
            start, end = spans[-1]
            spans[-1] = min(start, token.start), max(end, token.end)
        else:
            spans.append((token.start, token.end))
        paused = False
    return spans


def _apart(text: MappedText, source: str, end: int, start: int) -> bool:
    """Whether one word ends at the place `end` of the input, and another begins at `start`."""
    between = text.text[bisect_left(text.starts, end) : bisect_left(text.starts, start)]
    beside = source[max(0, end - 1) : end] + source[start : start + 1]
    return any(map(str.isspace, between)) or UNSPACED.search(beside) is not None


def _cut(text: MappedText, end: int, start: int) -> int:
    """Where in `text` a word begins that is said for the input from `start`; the one before it is said up to `end`."""
    first, at = bisect_left(text.starts, end), bisect_left(text.starts, start)
    while at > first and _opens(text.text, at - 1, first):
        at -= 1
    return at


def _opens(text: str, at: int, first: int) -> bool:
    """Whether text[at], which stands after text[first:at] and before a word, is a blank or belongs to the word."""
    if text[at].isspace() or text[at] in OPENERS:
        return True
    before = text[at - 1] if at > first else ""
    return text[at] in STRAIGHT and (before.isspace() or (before != "" and before in OPENERS))


def _word(text: MappedText, span: tuple[int, int], source: str) -> WrittenWord:
    text = text.strip()
    start, end = (text.starts[0], max(text.ends)) if text.text else span
    start, end = min(start, span[0]), max(end, span[1])
    return WrittenWord(_as_written(text, source) or source[start:end], start, end)


def _as_written(text: MappedText, source: str) -> str:
    """The characters of `text`, and where several stand for one piece of the input, that piece without its tags."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        place, last = (text.starts[at], text.ends[at]), at + 1
        while last < len(text) and (text.starts[last], text.ends[last]) == place and place[0] < place[1]:
            last += 1
        parts.append(_piece(text.text[at:last], source[place[0] : place[1]]))
        at = last
    return " ".join("".join(parts).split())


def _piece(said: str, written: str) -> str:
    if said.isspace() or (len(said) == 1 and written.startswith("&")):
        return said
    if written.startswith("<") and len(written) > 1:
        written = html.unescape(TAGS.sub("", written))
    return written if written.strip() else said
