"""How ChatTTS draws text tokens and codes: a penalty for what came just before, then the likeliest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

LEAST = 3
"""Tokens that are drawn from at least, whatever `top_p` and `top_k` say."""
WINDOW = 16
"""Codes of a group, the last ones, that the penalty counts."""


@dataclass(frozen=True)
class DrawingRule:
    """How one sequence draws."""

    temperature: float
    top_p: float
    top_k: int
    penalty: float
    """For each time that a token is among the last WINDOW ones."""


@dataclass(frozen=True)
class DrawingRows:
    """The rules of several rows, each an array [n, 1], and what differs with each draw."""

    temperature: mx.array
    top_p: mx.array
    top_k: mx.array
    penalty: mx.array
    chance: mx.array
    """From 0 up to 1: decides what is drawn."""
    young: mx.array
    """Whether the token that ends a sequence may not be drawn yet."""

    @classmethod
    def of(
        cls, rules: Sequence[DrawingRule], chance: NDArray[np.float32], young: Sequence[bool], each: int = 1
    ) -> DrawingRows:
        """`each`: rows of a rule. `chance` [n, each], a rule's rows together."""

        def column(values: Sequence[float]) -> mx.array:
            return mx.array(np.repeat(np.array(values, np.float32), each)[:, None])

        return cls(
            column([rule.temperature for rule in rules]),
            column([rule.top_p for rule in rules]),
            column([rule.top_k for rule in rules]),
            column([rule.penalty for rule in rules]),
            mx.array(chance.reshape(-1, 1)),
            column([float(one) for one in young]) > 0,
        )


def counted(before: Sequence[Sequence[Sequence[int]]], last: mx.array, vocabulary: int) -> mx.array:
    """How often each code is among the last WINDOW frames of each row: float32 [rows * groups, vocabulary].

    `last` [rows, groups]: those of the last frame, which may not have been read yet; -1 for none. `before`: all others.
    """
    groups = last.shape[1]
    counts = np.zeros((len(before), groups, vocabulary), np.float32)
    for row, frames in enumerate(before):
        for frame in frames[-(WINDOW - 1) :]:
            counts[row, range(groups), frame] += 1
    return mx.array(counts.reshape(-1, vocabulary)) + (last.reshape(-1, 1) == mx.arange(vocabulary))


def kept(logits: mx.array, rows: DrawingRows, counts: mx.array | None) -> tuple[mx.array, mx.array]:
    """logits [n, v] → the tokens of each row, the likeliest first [n, v], and their scores: -inf for those left out."""
    scores = logits / rows.temperature
    if counts is not None:
        by = rows.penalty**counts
        scores = mx.where(scores < 0, scores * by, scores / by)
    order = mx.argsort(-scores, axis=-1)
    ordered = mx.take_along_axis(scores, order, axis=-1)
    shares = mx.softmax(ordered, axis=-1)
    place = mx.arange(logits.shape[-1])
    likely = (mx.cumsum(shares, axis=-1) - shares < rows.top_p) & (place < rows.top_k)
    return order, mx.where(likely | (place < LEAST), ordered, -mx.inf)


def choose(logits: mx.array, rows: DrawingRows, end: int, counts: mx.array | None = None) -> mx.array:
    """logits [n, v] → a token of each row, int32 [n]. `end`: the token that a young row does not draw."""
    order, scores = kept(logits, rows, counts)
    scores = mx.where(rows.young & (order == end), -mx.inf, scores)
    total = mx.cumsum(mx.softmax(scores, axis=-1), axis=-1)
    before = (total <= rows.chance * total[:, -1:]).sum(axis=-1)
    last = mx.argmax(mx.where(scores > -mx.inf, mx.arange(logits.shape[-1]), -1), axis=-1)
    place = mx.minimum(before, last)  # where rounding lets `before` run over the end
    return mx.take_along_axis(order, place[:, None], axis=-1)[:, 0].astype(mx.int32)
