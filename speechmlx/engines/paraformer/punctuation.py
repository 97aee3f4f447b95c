"""CT-Transformer: punctuation for words, of which 20 are read at a time with those since the last sentence ended."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.engines.parts.sanm import RowLengths, SanmEncoder, SanmLayers
from speechmlx.engines.weights import read_config
from speechmlx.errors import ModelUnavailable

if TYPE_CHECKING:
    from speechmlx.types import Samples

EPSILON = 1e-12
MARKS = ("", "", "，", "。", "？", "、")
"""By the number that the network gives."""
COMMA, PERIOD, QUESTION = 2, 3, 4
LATIN = {"，": ",", "。": ".", "？": "?"}
"""Marks behind a word in ASCII."""
CHUNK = 20
"""Words that are read with those that are carried on."""
LATEST, EARLIEST = 2, 2
"""A sentence ends LATEST words before the last word read, or before that, and not before the word EARLIEST."""
MOST_CARRIED = 200
"""Words without the end of a sentence, after which one ends at a comma."""


def punctuation_of(weights: Mapping[str, mx.array], folder: Path) -> PunctuationNetwork:
    """The network of weights that were in `folder`. Raises ModelUnavailable where they are those of another one."""
    config = read_config(folder)
    if "decoder.weight" not in weights or "heads" not in config:
        raise ModelUnavailable(f"the model folder {folder.name!r} holds no CT-Transformer")
    words = json.loads((folder / "tokens.json").read_bytes())
    return PunctuationNetwork(weights, np.load(folder / "embedding.npy", mmap_mode="r"), words, config["heads"])


class PunctuationNetwork:
    """Words → the number of the mark behind each. The embedding of all words stays on the disk."""

    def __init__(self, weights: Mapping[str, mx.array], embedding: Samples, words: Sequence[str], heads: int) -> None:
        self.nbytes = sum(array.nbytes for array in weights.values())
        self._layers = SanmLayers(weights, EPSILON)
        self._encoder = SanmEncoder(self._layers, heads)
        self._embedding = embedding
        self._places = {word: place for place, word in enumerate(words)}
        self._unknown = self._places.get("<unk>", len(words) - 1)

    def marks(self, words: Sequence[str], pace: LayerPace) -> Generator[None, None, list[int]]:
        """The mark behind each of some hundred words at most."""
        scores = yield from self.scores(words, pace)
        return [int(mark) for mark in finite(np.array(scores), "punctuation").argmax(axis=1)]

    def scores(self, words: Sequence[str], pace: LayerPace) -> Generator[None, None, mx.array]:
        """[words, marks]."""
        places = [self._places.get(word, self._unknown) for word in words]
        rows = self._encoder.embed(mx.array(np.asarray(self._embedding[places], np.float32))[None])
        found = yield from pace.run(self._encoder.layers(RowLengths(None, None)), rows)
        return self._layers.linear(found, "decoder")[0]


class Punctuator:
    """The words of one text, as they come → the same as they are written, with marks and spaces."""

    def __init__(self, network: PunctuationNetwork, pace: LayerPace) -> None:
        self.written: list[str] = []
        """Words that are done, to be taken from here."""
        self._network = network
        self._pace = pace
        self._waiting: list[str] = []
        self._carried: list[str] = []
        """Words since the end of the last sentence, which are read again with the next ones."""

    def add(self, words: Sequence[str]) -> Iterator[None]:
        """Take the next words. Each `next()` is a step."""
        self._waiting += words
        while len(self._waiting) > CHUNK:
            chunk, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
            yield from self._read([*self._carried, *chunk], False)

    def close(self) -> Iterator[None]:
        """No more words come."""
        if self._waiting:
            yield from self._read([*self._carried, *self._waiting], True)
            self.written[-1] = ended(self.written[-1])

    def _read(self, words: list[str], is_last: bool) -> Iterator[None]:
        marks = yield from self._network.marks(words, self._pace)
        cut = len(words) if is_last else sentence_end(marks)
        if cut and not is_last:
            marks[cut - 1] = max(marks[cut - 1], PERIOD)
        self.written += written(words[:cut], marks[:cut])
        self._carried = words[cut:]


def sentence_end(marks: Sequence[int]) -> int:
    """How many words are done: up to the last end of a sentence, or up to a comma where none has come for long."""
    places = range(len(marks) - LATEST, EARLIEST - 1, -1)
    for place in places:
        if marks[place] in (PERIOD, QUESTION):
            return place + 1
    commas = (place + 1 for place in places if marks[place] == COMMA)
    return next(commas, 0) if len(marks) > MOST_CARRIED else 0


def written(words: Sequence[str], marks: Sequence[int]) -> list[str]:
    """Words with the marks behind them, and with a space before those in ASCII that need one."""
    found = []
    before, ends = "", True
    for word, mark in zip(words, marks, strict=True):
        space = " " if word.isascii() and (not before or before.isascii()) else ""
        text = word[:1].upper() + word[1:] if ends and word.isascii() else word
        sign = MARKS[mark] if mark < len(MARKS) else ""
        found.append(space + text + (LATIN.get(sign, sign) if word.isascii() else sign))
        before, ends = word, mark in (PERIOD, QUESTION)
    return found


def ended(word: str) -> str:
    """The last word of a text, with the end of a sentence behind it."""
    if word[-1] in "，、":
        return word[:-1] + "。"
    if word[-1] == ",":
        return word[:-1] + "."
    if word[-1] in "。？.?":
        return word
    return word + ("." if word[-1].isascii() else "。")
