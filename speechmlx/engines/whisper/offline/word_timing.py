"""When each word was said: attention of the alignment heads over the audio, and the cheapest path through it.

After openai/whisper's word timing, on the keys and values a window already has: nothing is encoded again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.model.alignment_heads import Heads, known_heads
from speechmlx.engines.whisper.model.network import Dims, Pair, TextDecoder
from speechmlx.engines.whisper.model.tokenizer import Vocabulary, WordTokens
from speechmlx.types import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS_PER_PLACE = 0.02
"""One place of the encoder's output."""
MEDIAN_WIDTH = 7
LONGEST_MEDIAN = 0.7
"""Seconds the median word is taken to last at most."""
ENDS = ".。!！?？"
OPENING = "\"'“¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"
MARKS = frozenset(CLOSING)
"""What closes a word, each of one character."""


@dataclass(frozen=True)
class AlignedWord:
    """A word in its window: text tokens [first, last) and seconds from the window's start."""

    text: str
    first: int
    last: int
    start: float
    end: float


T = TypeVar("T", AlignedWord, Word)


def alignment_heads(folder: Path, dims: Dims) -> Heads:
    """The heads named by `folder`'s generation_config.json, those known for these sizes, or all of the upper half.

    Some distilled models name their teacher's heads: those that they do not have do not count.
    """
    config = folder / "generation_config.json"
    named = json.loads(config.read_text()).get("alignment_heads") if config.is_file() else None
    heads: Heads = {}
    for layer, head in sorted(tuple(pair) for pair in named or ()):
        if layer < dims.n_text_layer and head < dims.n_text_head:
            heads.setdefault(layer, []).append(head)
    upper = range(dims.n_text_layer // 2, dims.n_text_layer)
    known = known_heads(dims.n_text_layer, dims.n_text_head, dims.n_vocab)
    return heads or known or {layer: list(range(dims.n_text_head)) for layer in upper}


def align(
    decoder: TextDecoder,
    vocabulary: Vocabulary,
    heads: Heads,
    cross: Sequence[Pair],
    start: Sequence[int],
    text: Sequence[int],
    frames: int,
    language: str,
    after: float = 0.0,
) -> list[AlignedWord]:
    """Words of `text` (ids below the end) with their times, in order and inside the window's `frames` mel frames.

    `cross` is the window's keys and values, `start` the tokens that begin a window. No word begins before `after`
    seconds, each has a length, and none begins before the one before it has ended.
    """
    if not text:
        return []
    rows, columns = cheapest_path(-looks(decoder, vocabulary, heads, cross, start, text, frames))
    jumps = columns[np.diff(rows, prepend=-1) > 0] * SECONDS_PER_PLACE
    words = _times(vocabulary.words(text, language), jumps)
    return spaced(joined_punctuation(trimmed(words)), after, frames / mel.FRAMES_PER_SECOND)


def looks(
    decoder: TextDecoder,
    vocabulary: Vocabulary,
    heads: Heads,
    cross: Sequence[Pair],
    start: Sequence[int],
    text: Sequence[int],
    frames: int,
) -> NDArray[np.float32]:
    """[tokens of `text` and the end, places]: where in the window each was heard. Arguments as of `align`."""
    tokens = [*start, vocabulary.no_timestamps, *text, vocabulary.eot]
    positions = mx.arange(len(tokens))[None]
    mask = causal(len(tokens), cross[0][0].dtype)
    _, looked = decoder(mx.array([tokens]), positions, PromptCache(), cross, mask, look=heads)
    places = max(1, min(frames // 2, cross[0][0].shape[2]))
    scores = np.array(mx.concatenate(looked, axis=1)[0, :, :, :places])
    return attention(scores)[len(start) : -1]


def attention(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """[heads, tokens, places] before the softmax → [tokens, places]: where each token looks, outliers smoothed."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    spread = weights.std(axis=-2, keepdims=True)
    weights = (weights - weights.mean(axis=-2, keepdims=True)) / np.maximum(spread, 1e-10)
    half = MEDIAN_WIDTH // 2
    if weights.shape[-1] > half:
        padded = np.pad(weights, ((0, 0), (0, 0), (half, half)), mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WIDTH, axis=-1)
        weights = np.partition(views, half, axis=-1)[..., half]
    found: NDArray[np.float32] = weights.mean(axis=0)
    return found


def cheapest_path(cost: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dynamic time warping over `cost` [n, m]: rows and columns of the path from corner to corner.

    Cells of one anti-diagonal do not depend on each other, so each is one numpy operation.
    """
    n, m = cost.shape
    total = np.full((n + 1, m + 1), np.inf, np.float32)
    came = np.zeros((n + 1, m + 1), np.int8)
    total[0, 0] = 0
    flat, origin, step = total.reshape(-1), came.reshape(-1), m + 1
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        cell = i * step + diagonal - i
        both, up, left = flat[cell - step - 1], flat[cell - step], flat[cell - 1]
        best = np.where((both <= up) & (both <= left), 0, np.where(up <= left, 1, 2))
        flat[cell] = cost[i - 1, diagonal - i - 1] + np.minimum(np.minimum(both, up), left)
        origin[cell] = best
    return _walk_back(came)


def _walk_back(came: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    came[0, :], came[:, 0] = 2, 1
    i, j = came.shape[0] - 1, came.shape[1] - 1
    path = []
    while i > 0 or j > 0:
        path.append((i - 1, j - 1))
        move = came[i, j]
        i, j = i - (move != 2), j - (move != 1)
    rows, columns = np.array(path[::-1]).T
    return rows, columns


def _times(words: Sequence[WordTokens], jumps: NDArray[np.floating]) -> list[AlignedWord]:
    found, first = [], 0
    for word in words:
        last = first + len(word.tokens)
        found.append(AlignedWord(word.text, first, last, float(jumps[first]), float(jumps[last])))
        first = last
    return found


def trimmed(words: Sequence[AlignedWord]) -> list[AlignedWord]:
    """Words beside the end of a sentence made no longer than twice the median: the rest is the pause."""
    lengths = [word.end - word.start for word in words if word.end > word.start]
    longest = 2 * min(LONGEST_MEDIAN, float(np.median(lengths))) if lengths else 0.0
    found: list[AlignedWord] = []
    for word in words:
        if longest and word.end - word.start > longest:
            if not found or found[-1].text.strip()[-1:] in ENDS:
                word = replace(word, start=word.end - longest)
            elif word.text.strip()[-1:] in ENDS:
                word = replace(word, end=word.start + longest)
        found.append(word)
    return found


def joined_punctuation(words: Sequence[AlignedWord]) -> list[AlignedWord]:
    """Opening marks joined to the word after them, closing marks to the one before."""
    found: list[AlignedWord] = []
    for word in words:
        before = found[-1] if found else None
        bare = word.text.strip()
        closes = bare in CLOSING and not word.text.startswith(" ")
        opened = before is not None and before.text.startswith(" ") and before.text.strip() in OPENING
        if before is not None and bare and closes:
            found[-1] = replace(before, text=before.text + word.text, last=word.last)
        elif before is not None and before.text.strip() and opened:
            found[-1] = replace(word, text=before.text + word.text, first=before.first)
        else:
            found.append(word)
    return found


def spaced(words: Sequence[T], after: float, until: float) -> list[T]:
    """`words`, with `start` and `end` in seconds, one after the other inside [after, until], each of a place at least.

    What a word needs is taken from its neighbours; where there is not so much room for all, all get the same.
    """
    least = min(SECONDS_PER_PLACE, max(0.0, until - after) / max(1, len(words)))
    found: list[T] = []
    for left, word in zip(range(len(words) - 1, -1, -1), words, strict=True):
        latest = until - left * least
        start = min(max(after, word.start), latest - least)
        after = min(max(start + least, word.end), latest)
        found.append(replace(word, start=start, end=after))
    return found
