"""Cuts a text into pieces that are said at once, with numbers and signs as words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from speechmlx.engines.cosyvoice.text_tokens import TextTokens
from speechmlx.reading import Pause, SpokenWord, Token, ssml
from speechmlx.reading.lexicon import UserLexicon, user_lexicon
from speechmlx.reading.reading import passages
from speechmlx.reading.sentences import clauses, sentences
from speechmlx.types import Pronunciation

MOST, ENOUGH = 80, 60
"""Tokens of a piece; short sentences are said together up to so many."""
SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3\u1100-\u11ff]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
)
"""What a text is in that has such a letter."""
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef\u3000-\u303f]")
"""Letters and marks that have no blanks beside them."""
WIDE = str.maketrans({",": "，", ".": "。", "!": "！", "?": "？", ";": "；", ":": "："})
"""The marks of Chinese and Japanese."""
SPOKEN_MARKS = ".!?…;:—,"


def language_of(text: str) -> str:
    """The code of the language by its script; English for letters of none."""
    return next((code for code, script in SCRIPTS if script.search(text)), "en")


def pieces(
    text: str, language: str | None, pronunciations: tuple[Pronunciation, ...], tokens: TextTokens
) -> Iterator[str]:
    """The pieces of a text, in order, none without a letter or a digit. A sentence with signs is said as it is written.

    `language`: how numbers and marks are read; None: as the script says.
    """
    measure = tokens.count
    together = ""
    for sentence in [text] if ssml.is_ssml(text) else sentences(text):
        spoken = language or language_of(sentence)
        said = sentence if tokens.has_signs(sentence) else as_said(sentence, spoken, pronunciations)
        for part in clauses(said, MOST, measure):
            if together and measure(together) + measure(part) > ENOUGH:
                yield together.strip()
                together = ""
            if any(letter.isalnum() for letter in part):
                together = _beside(together, part.strip())
    if together:
        yield together


def as_said(text: str, language: str, pronunciations: tuple[Pronunciation, ...] = ()) -> str:
    """A text with words for its numbers and signs, and without marks of structure. Words stay as they are written."""
    lexicon: UserLexicon = user_lexicon(pronunciations, language)
    said = ""
    for passage in passages(text, language, lexicon):
        for places, group in groupby(passage.tokens, key=lambda token: (token.start, token.end)):
            said = _beside(said, _written(list(group), text[slice(*places)]))
    return said


def _written(tokens: list[Token], written: str) -> str:
    """What one place of the text is said as: itself where it is words already, and the marks that are heard."""
    words = [token.text for token in tokens if isinstance(token, SpokenWord)]
    marks = "".join(token.mark for token in tokens if isinstance(token, Pause) and token.mark in SPOKEN_MARKS)
    if not words:
        return marks
    joined = "".join(words) if UNSPACED.search("".join(words)) else " ".join(words)
    kept = written.strip() if _alike(written) == _alike(joined) else joined
    return kept + marks


def _alike(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _beside(before: str, after: str) -> str:
    """Both, with a blank between them where their scripts have blanks, and none before a mark."""
    if not before or not after:
        return before or after
    if after[0] in SPOKEN_MARKS:
        return before + (after.translate(WIDE) if UNSPACED.match(before[-1]) else after)
    joined = UNSPACED.match(before[-1]) or UNSPACED.match(after[0])
    return before + ("" if joined else " ") + after
