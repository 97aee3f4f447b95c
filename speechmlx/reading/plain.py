"""Texts for synthesisers that read words as they are written, and neither SSML nor a lexicon. Pure.

Numbers and marks stay as they are. SSML becomes its words and silences: `prosody` and `emphasis` have no effect, and a
`phoneme` is the word that it stands around.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from speechmlx.reading import ssml
from speechmlx.reading.blocks import Given, Manner, SaidAs, TextBlock
from speechmlx.reading.lexicon import UserLexicon, user_lexicon
from speechmlx.reading.pauses import parts
from speechmlx.reading.reading import words_of
from speechmlx.reading.said_as import said_as
from speechmlx.reading.tokens import Pause, SpokenWord, Token
from speechmlx.types import Pronunciation

WordsOrSilence = str | float
"""Words to say, or seconds of silence."""

OPEN_PAUSE = re.compile(r"\[[^\[\]\n]{0,24}\Z")
"""What may become `[pause:1s]`."""
OPEN_TAG = r"<(?:[?!s][^<>]{0,200}+)?"
PROLOGUE = re.compile(rf"[\s\ufeff]*+(?:\Z|{OPEN_TAG}(?:\Z|>\s*+(?:\Z|{OPEN_TAG}\Z)))")
"""What may become the beginning of SSML: one tag, or a declaration and a tag behind it."""
SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
)
"""The language of a text by its first letter."""


class PlainText:
    """One text, which may still be written. `feed` and `end` give what of it is certain by then, in order.

    They raise BadRequest for SSML that is wrong, and for a pause that is too long.
    """

    def __init__(self, pronunciations: tuple[Pronunciation, ...] = (), language: str | None = None) -> None:
        """`language`: ISO 639-1 code; None: the first letter tells, and one of no script of SCRIPTS is English."""
        self._pronunciations, self._language = pronunciations, language
        self._rest = ""
        self._begun = False
        """Some of the text was given, so that it is no SSML."""

    def feed(self, text: str) -> list[WordsOrSilence]:
        """Add text."""
        self._rest += text
        if not self._begun and (ssml.is_ssml(self._rest) or PROLOGUE.fullmatch(self._rest)):
            return []
        self._begun = True
        opened = OPEN_PAUSE.search(self._rest, max(0, len(self._rest) - 25))
        known = opened.start() if opened else len(self._rest)
        found, rest = list[WordsOrSilence](), self._rest[known:]
        for part in (pieces := parts(self._rest[:known])):
            if part is pieces[-1] and part.text:
                settled = self._lexicon(part.text).settled(part.text)
                found.append(self._respelt(part.text[:settled]))
                rest = part.text[settled:] + rest
            else:
                found.append(self._respelt(part.text) if part.text else part.seconds)
        self._rest = rest
        return [one for one in found if one]

    def end(self, text: str = "") -> list[WordsOrSilence]:
        """Add the last of the text. Another one may follow."""
        whole, self._rest = self._rest + text, ""
        is_document, self._begun = not self._begun and ssml.is_ssml(whole), False
        if is_document:
            return [one for one in self._document(whole) if not isinstance(one, str) or one.strip()]
        return [self._respelt(part.text) if part.text else part.seconds for part in parts(whole)]

    def flush(self) -> list[WordsOrSilence]:
        """Give out all of the text so far, however it goes on. SSML that is not closed is read as it is written."""
        if ssml.is_ssml(self._rest) and "</speak" not in self._rest:
            self._begun = True
        return self.end()

    def _lexicon(self, text: str) -> UserLexicon:
        if self._language is None and (letter := next(filter(str.isalpha, text), "")):
            self._language = next((code for code, script in SCRIPTS if script.match(letter)), "en")
        return user_lexicon(self._pronunciations, self._language or "en")

    def _respelt(self, text: str) -> str:
        return self._lexicon(text).respelt(text)

    def _document(self, text: str) -> Iterator[WordsOrSilence]:
        said = ""
        for block in ssml.blocks(text):
            for one in self._block(block):
                if isinstance(one, str):
                    said += one
                else:
                    yield said
                    yield one
                    said = ""
            said = f"{said.rstrip()}\n\n" if said.strip() else ""
        yield said.rstrip()

    def _block(self, block: TextBlock) -> Iterator[WordsOrSilence]:
        """The words and silences of one block, in order."""
        text, at = block.text.text, 0
        for note in block.notes:
            if isinstance(note, Manner):
                continue
            start = max(at, bisect_left(block.text.starts, note.start))
            end = max(start, bisect_left(block.text.starts, note.end))
            yield self._respelt(text[at:start])
            yield from _said(self._noted(note, text[start:end]))
            at = end
        yield self._respelt(text[at:])

    def _noted(self, note: Given | SaidAs, text: str) -> tuple[Token, ...]:
        if isinstance(note, Given):
            return note.tokens
        self._lexicon(text)
        language = self._language or "en"
        return tuple(said_as(text, note.interpret, note.form, words_of(language), language))


def _said(tokens: tuple[Token, ...]) -> Iterator[WordsOrSilence]:
    words = [token.text.upper() if token.is_letter else token.text for token in tokens if isinstance(token, SpokenWord)]
    yield " ".join(words)
    yield from (token.seconds for token in tokens if isinstance(token, Pause) and token.seconds)
