"""Cuts a text into pieces that are said at once, with numbers and signs as words, and silences between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

from speechmlx.engines.cosyvoice.phones import signs_of
from speechmlx.engines.cosyvoice.text_tokens import TextTokens
from speechmlx.reading import Pause, SpokenWord, Token, ssml
from speechmlx.reading.lexicon import UserLexicon, user_lexicon
from speechmlx.reading.pauses import parts
from speechmlx.reading.plain import SCRIPTS
from speechmlx.reading.reading import passages
from speechmlx.reading.sentences import clauses, sentences
from speechmlx.types import Pronunciation

MOST, ENOUGH = 80, 60
"""Tokens of a piece; short sentences are said together up to so many."""
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef\u3000-\u303f]")
"""Letters and marks that have no blanks beside them."""
WIDE = str.maketrans({",": "，", ".": "。", "!": "！", "?": "？", ";": "；", ":": "："})
"""The marks of Chinese and Japanese."""
SPOKEN_MARKS = ".!?…;:—,"


@dataclass(frozen=True)
class TextPiece:
    """A text to say at once, or else seconds of silence, or the place up to which a stream was to be said."""

    text: str = ""
    rate: float = 1.0
    """Times the speed that was asked for."""
    silence: float = 0.0
    is_flush: bool = False


def language_of(text: str) -> str:
    """The code of the language by its script; English for letters of none."""
    return next((code for code, script in SCRIPTS if script.search(text)), "en")


def pieces(
    text: str, language: str | None, pronunciations: tuple[Pronunciation, ...], tokens: TextTokens
) -> Iterator[TextPiece]:
    """The pieces of a text, in order, none without a letter or a digit; and its silences.

    A sentence with signs is said as it is written. `language`: how numbers and marks are read; None: as the script
    says. Raises BadRequest for wrong SSML and for a pause that is too long.
    """
    measure = tokens.count
    together, rate = "", 1.0
    for part in _parts(text, language, pronunciations, tokens):
        if together and (part.silence or part.rate != rate):
            yield TextPiece(together.strip(), rate)
            together = ""
        if part.silence:
            yield part
            continue
        rate = part.rate
        for clause in clauses(part.text, MOST, measure):
            if together and measure(together) + measure(clause) > ENOUGH:
                yield TextPiece(together.strip(), rate)
                together = ""
            if any(letter.isalnum() for letter in clause):
                together = beside(together, clause.strip())
    if together:
        yield TextPiece(together, rate)


def _parts(
    text: str, language: str | None, pronunciations: tuple[Pronunciation, ...], tokens: TextTokens
) -> Iterator[TextPiece]:
    is_ssml = ssml.is_ssml(text)
    for sentence in [text] if is_ssml else sentences(text):
        if not is_ssml and tokens.has_signs(sentence):
            yield from (TextPiece(part.text, silence=part.seconds) for part in parts(sentence))
        else:
            yield from _read(sentence, language or language_of(sentence), pronunciations, tokens.signs)


def as_said(
    text: str, language: str, pronunciations: tuple[Pronunciation, ...] = (), signs: Set[str] = frozenset()
) -> str:
    """A text with words for its numbers and signs, and without marks of structure. Words stay as they are written.

    `signs`: those of the model, for words whose phonemes are given.
    """
    return reduce(beside, (part.text for part in _read(text, language, pronunciations, signs)), "")


def _read(text: str, language: str, pronunciations: tuple[Pronunciation, ...], signs: Set[str]) -> Iterator[TextPiece]:
    """What is said at one rate, and silences."""
    lexicon: UserLexicon = user_lexicon(pronunciations, language)
    said, rate = "", 1.0
    for passage in passages(text, language, lexicon):
        for places, found in groupby(passage.tokens, key=lambda token: (token.start, token.end)):
            group = list(found)
            own = next((token.rate for token in group if isinstance(token, SpokenWord)), rate)
            if said and own != rate:
                yield TextPiece(said, rate)
                said = ""
            rate = own
            said = beside(said, _written(group, text[slice(*places)], signs))
            if silence := sum(token.seconds or 0.0 for token in group if isinstance(token, Pause)):
                yield from [TextPiece(said, rate)] if said else []
                yield TextPiece(silence=silence)
                said = ""
    if said:
        yield TextPiece(said, rate)


def _written(group: list[Token], written: str, signs: Set[str]) -> str:
    """What one place of the text is said as: itself where it is words already, and the marks that are heard."""
    words = [token for token in group if isinstance(token, SpokenWord)]
    marks = "".join(token.mark for token in group if isinstance(token, Pause) and token.mark in SPOKEN_MARKS)
    if not words:
        return marks
    if phones := signs_of(words, signs):
        return phones + marks
    texts = [word.text for word in words]
    joined = "".join(texts) if UNSPACED.search("".join(texts)) else " ".join(texts)
    kept = written.strip() if _alike(written) == _alike(joined) else joined
    return kept + marks


def _alike(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def beside(before: str, after: str) -> str:
    """Both, with a blank between them where their scripts have blanks, and none before a mark."""
    if not before or not after:
        return before or after
    if after[0] in SPOKEN_MARKS:
        return before + (after.translate(WIDE) if UNSPACED.match(before[-1]) else after)
    joined = UNSPACED.match(before[-1]) or UNSPACED.match(after[0])
    return before + ("" if joined else " ") + after
