"""Words as lines of numbers: MeloTTS's phones with a blank around each, and the tokens of BERT that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from speechmlx.engines.melotts.front_ends import LANGUAGES, TONES
from speechmlx.engines.melotts.phone_words import PhoneWord
from speechmlx.errors import ModelUnavailable

EDGE, UNKNOWN = "_", "UNK"
"""Symbols: at the ends of a line, and for one that the checkpoint does not know. The first is the blank too."""
START, END, UNKNOWN_TOKEN = "[CLS]", "[SEP]", "[UNK]"


@dataclass
class LaidOutLine:
    """A line of phones with their tones and languages, and tokens with the number of phones that each belongs to."""

    phones: list[int] = field(default_factory=list)
    tones: list[int] = field(default_factory=list)
    languages: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def token_of_phone(self) -> NDArray[np.int64]:
        """The place of the token of each phone."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


class PhoneLines:
    """Lays words out for one checkpoint."""

    def __init__(self, language: str, symbols: Mapping[str, int], tokenizer: BertWordPieceTokenizer | None) -> None:
        """`tokenizer`: of the checkpoint's BERT; None: it has none, and lines have no tokens."""
        self._symbols, self._tokenizer = symbols, tokenizer
        self._language, self._edge_tone = LANGUAGES[language], TONES[language]

    def lay_out(self, words: Sequence[PhoneWord]) -> LaidOutLine:
        """The line of `words`, between two edges; a blank is before each phone and behind the last."""
        line = LaidOutLine()
        edge = PhoneWord("", (EDGE,), (self._edge_tone,))
        for word, tokens in ((edge, [START]), *((word, None) for word in words), (edge, [END])):
            for phone, tone in zip(word.phones, word.tones, strict=True):
                line.phones += [0, self._symbols.get(phone, self._symbols[UNKNOWN])]
                line.tones += [0, tone]
                line.languages += [0, self._language]
            if self._tokenizer is not None:
                numbers = [self._number(token) for token in tokens] if tokens else self._tokens(word.text)
                line.tokens += numbers
                line.counts += [2 * count for count in shared_out(len(word.phones), len(numbers))]
        for numbers in (line.phones, line.tones, line.languages):
            numbers.append(0)
        if line.counts:
            line.counts[0] += 1
        return line

    def _tokens(self, text: str) -> list[int]:
        assert self._tokenizer is not None
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids) or [self._number(UNKNOWN_TOKEN)]

    def _number(self, token: str) -> int:
        assert self._tokenizer is not None
        number = self._tokenizer.token_to_id(token)
        assert number is not None, token
        return int(number)


def shared_out(phones: int, tokens: int) -> list[int]:
    """How many of a word's phones belong to each of its tokens: as many to each, the first ones one more."""
    each, more = divmod(phones, tokens)
    return [each + (place < more) for place in range(tokens)]


def read_tokenizer(folder: Path, *, lowercase: bool, strip_accents: bool | None) -> BertWordPieceTokenizer:
    """The tokenizer of a BERT by its vocab.txt. Raises ModelUnavailable."""
    try:
        tokenizer = BertWordPieceTokenizer(
            str(folder / "vocab.txt"), lowercase=lowercase, strip_accents=strip_accents, clean_text=True
        )
    except Exception as error:  # the library raises its own class of Exception
        raise ModelUnavailable(f"{folder.name!r} has no readable vocab.txt: {error}") from error
    if missing := [token for token in (START, END, UNKNOWN_TOKEN) if tokenizer.token_to_id(token) is None]:
        raise ModelUnavailable(f"vocab.txt of {folder.name!r} lacks {', '.join(missing)}")
    return tokenizer
