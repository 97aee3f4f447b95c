"""Word times: dynamic time warping over the cross attention of the alignment heads.

The method is that of openai/whisper, but it reuses the cross-attention keys and values of the window, so that the audio
is not encoded again. A place is one position of the encoder output, 20 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import mlx.core as mx
import numpy as np

from speechmlx.engines.finite import finite
from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.model.alignment_heads import Heads
from speechmlx.engines.whisper.model.network import Network, Pair
from speechmlx.engines.whisper.model.tokenizer import Vocabulary, WordTokens
from speechmlx.types import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS_PER_PLACE = 0.02
"""Seconds per place."""
MEDIAN_WIDTH = 7
LONGEST_MEDIAN = 0.7
"""Upper limit of the median word length, in seconds."""
ENDS = ".。!！?？"
OPENING = "\"'“¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"
MARKS = frozenset(CLOSING)
"""Closing marks, each of one character."""


@dataclass(frozen=True)
class AlignedWord:
    """A word of a window: text tokens [first, last), and its start and end in seconds from the window's start."""

    text: str
    first: int
    last: int
    start: float
    end: float


T = TypeVar("T", AlignedWord, Word)


@dataclass(frozen=True)
class WindowText:
    """The decoded text of a window, with the keys and values of its audio."""

    cross: Sequence[Pair]
    """Each decoder layer's keys and values [1, h, n, d] of the audio."""
    start: Sequence[int]
    """The tokens that every window starts with: start of transcript, language, task."""
    tokens: Sequence[int]
    """Text tokens, all below the end token."""
    frames: int
    """Mel frames of audio in the window."""


@dataclass(frozen=True)
class Aligner:
    """Aligns the tokens and words of a window with the audio."""

    network: Network
    vocabulary: Vocabulary
    heads: Heads

    def align(self, text: WindowText, language: str, after: float = 0.0) -> list[AlignedWord]:
        """Align the words of a window. The times are in order and inside the window.

        No word begins before `after` seconds or before the end of the previous word. No word has length 0.
        """
        if not text.tokens:
            return []
        rows, columns = cheapest_path(-self._attention(text))
        jumps = columns[np.diff(rows, prepend=-1) > 0] * SECONDS_PER_PLACE
        words = _times(self.vocabulary.words(text.tokens, language), jumps)
        return spaced(joined_punctuation(trimmed(words)), after, text.frames / mel.FRAMES_PER_SECOND)

    def places(self, text: WindowText) -> list[int]:
        """For each text token, the place with the most attention."""
        places: list[int] = self._attention(text).argmax(axis=-1)[:-1].tolist()
        return places

    def _attention(self, text: WindowText) -> NDArray[np.float32]:
        """Attention [n + 1, places] of the n text tokens and the end token. Raises NotFinite."""
        tokens = [*text.start, self.vocabulary.no_timestamps, *text.tokens, self.vocabulary.eot]
        positions = mx.arange(len(tokens))[None]
        keys = text.cross[0][0]
        mask = causal(len(tokens), keys.dtype)
        decoder = self.network.decoder
        _, scores_by_layer = decoder(mx.array([tokens]), positions, PromptCache(), text.cross, mask, look=self.heads)
        places = max(1, min(text.frames // 2, keys.shape[2]))
        scores = np.array(mx.concatenate(scores_by_layer, axis=1)[0, :, :, :places])
        return attention(finite(scores, "the alignment of words"))[len(text.start) : -1]


def attention(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores [heads, tokens, places] before the softmax → mean attention [tokens, places], median-filtered."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    spread = weights.std(axis=-2, keepdims=True)
    weights = (weights - weights.mean(axis=-2, keepdims=True)) / np.maximum(spread, 1e-10)
    half = MEDIAN_WIDTH // 2
    if weights.shape[-1] > half:
        padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WIDTH, axis=-1)
        weights = np.partition(views, half, axis=-1)[..., half]
    mean: NDArray[np.float32] = weights.mean(axis=0)
    return mean


def cheapest_path(cost: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dynamic time warping over `cost` [n, m]: rows and columns of the cheapest path from [0, 0] to [n-1, m-1].

    Cells of one anti-diagonal do not depend on each other, so one numpy operation computes all of them.
    """
    n, m = cost.shape
    total = np.full((n + 1, m + 1), np.inf, np.float32)
    moves = np.zeros((n + 1, m + 1), np.int8)
    total[0, 0] = 0
    flat, origin, step = total.reshape(-1), moves.reshape(-1), m + 1
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        cell = i * step + diagonal - i
        both, up, left = flat[cell - step - 1], flat[cell - step], flat[cell - 1]
        best = np.where((both <= up) & (both <= left), 0, np.where(up <= left, 1, 2))
        flat[cell] = cost[i - 1, diagonal - i - 1] + np.minimum(np.minimum(both, up), left)
        origin[cell] = best
    return _walk_back(moves)


def _walk_back(moves: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    moves[0, :], moves[:, 0] = 2, 1
    i, j = moves.shape[0] - 1, moves.shape[1] - 1
    path = []
    while i > 0 or j > 0:
        path.append((i - 1, j - 1))
        move = moves[i, j]
        i, j = i - (move != 2), j - (move != 1)
    rows, columns = np.array(path[::-1]).T
    return rows, columns


def _times(words: Sequence[WordTokens], jumps: NDArray[np.floating]) -> list[AlignedWord]:
    aligned, first = [], 0
    for word in words:
        last = first + len(word.tokens)
        aligned.append(AlignedWord(word.text, first, last, float(jumps[first]), float(jumps[last])))
        first = last
    return aligned


def trimmed(words: Sequence[AlignedWord]) -> list[AlignedWord]:
    """Shorten words at the start or end of a sentence to twice the median length: the excess is a pause."""
    lengths = [word.end - word.start for word in words if word.end > word.start]
    longest = 2 * min(LONGEST_MEDIAN, float(np.median(lengths))) if lengths else 0.0
    aligned: list[AlignedWord] = []
    for word in words:
        if longest and word.end - word.start > longest:
            if not aligned or aligned[-1].text.strip()[-1:] in ENDS:
                word = replace(word, start=word.end - longest)
            elif word.text.strip()[-1:] in ENDS:
                word = replace(word, end=word.start + longest)
        aligned.append(word)
    return aligned


def joined_punctuation(words: Sequence[AlignedWord]) -> list[AlignedWord]:
    """Join opening marks to the word after them, closing marks to the word before them."""
    aligned: list[AlignedWord] = []
    for word in words:
        before = aligned[-1] if aligned else None
        bare = word.text.strip()
        closes = bare in CLOSING and not word.text.startswith(" ")
        opened = before is not None and before.text.startswith(" ") and before.text.strip() in OPENING
        if before is not None and bare and closes:
            aligned[-1] = replace(before, text=before.text + word.text, last=word.last)
        elif before is not None and before.text.strip() and opened:
            aligned[-1] = replace(word, text=before.text + word.text, first=before.first)
        else:
            aligned.append(word)
    return aligned


def spaced(words: Sequence[T], after: float, until: float) -> list[T]:
    """Place `words` in order inside [after, until], in seconds, each at least SECONDS_PER_PLACE long.

    A word that is too short takes time from its neighbours. If the words do not fit, all get the same length.
    """
    least = min(SECONDS_PER_PLACE, max(0.0, until - after) / max(1, len(words)))
    aligned: list[T] = []
    for left, word in zip(range(len(words) - 1, -1, -1), words, strict=True):
        latest = until - left * least
        start = min(max(after, word.start), latest - least)
        after = min(max(start + least, word.end), latest)
        aligned.append(replace(word, start=start, end=after))
    return aligned
