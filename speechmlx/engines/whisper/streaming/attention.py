"""AttentionTracker: the place in the audio that each row's newest token attends to, found on the device.

A place is one position of the encoder's output, 20 ms. All of a row's scores stay on the device: what is read per token
is one number a row, and not heads x places of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.whisper.decoding.sampling import NEVER
from speechmlx.engines.whisper.offline.word_timing import MEDIAN_WIDTH

HALF = MEDIAN_WIDTH // 2
LEAST_SPREAD = 1e-12
"""Of the variance: attention that never changes has no place."""


class AttentionTracker:
    """Rows of tokens, each with the mean and the spread of its attention per place over all its tokens so far.

    Call `add` for every token of all rows, then `places`. Audio has more than HALF places, a prompt two tokens or more.
    """

    def __init__(self, scores: mx.array, compiles: bool = False) -> None:
        """One row: `scores` [1, heads, tokens, places] of the alignment heads for its prompt, before the softmax.

        `compiles`: fuse chains of small operations, as `Kernels` has it.
        """
        self._moments = _compiled(_moments) if compiles else _moments
        self._standing = _compiled(_standing) if compiles else _standing
        self._median = _compiled(_median) if compiles else _median
        weights = mx.softmax(scores, axis=-1)
        self._widths = [scores.shape[-1]]
        """Places of each row's audio."""
        self._counts = [scores.shape[2]]
        self._mean = weights.mean(axis=2)
        self._squares = mx.square(weights - self._mean[:, :, None]).sum(axis=2)
        """Sum of the squared distances from the mean. A sum of squares would lose it in float32: weights are small."""
        self._last = weights[:, :, -1]
        self._arrange()

    def add(self, scores: mx.array) -> None:
        """Add the scores [rows, heads, places of the longest audio] of one more token of every row."""
        self._last = mx.softmax(scores if self._padding is None else scores + self._padding, axis=-1)
        self._counts = [count + 1 for count in self._counts]
        self._mean, self._squares = self._moments(self._last, self._mean, self._squares, self._count)

    def places(self) -> mx.array:
        """The place [rows] that the newest token attends to most, beyond the attention that every token pays to it."""
        weights = self._standing(self._last, self._mean, self._squares, self._count)
        padded = mx.take_along_axis(weights, self._mirrored, axis=-1)
        width = weights.shape[-1]
        smooth = self._median(*(padded[..., first : first + width] for first in range(MEDIAN_WIDTH))).mean(axis=1)
        if self._padding is not None:
            smooth = smooth + self._padding[:, 0]
        return mx.argmax(smooth, axis=-1)

    def join(self, other: AttentionTracker) -> None:
        """Take the rows of `other`, which come last."""
        width = max(*self._widths, *other._widths)
        arrays = zip(self._state, other._state, strict=True)
        self._mean, self._squares, self._last = (mx.concatenate([_wide(one, width) for one in both]) for both in arrays)
        self._widths = [*self._widths, *other._widths]
        self._counts = [*self._counts, *other._counts]
        self._arrange()

    def leave(self, row: int) -> None:
        """Remove a row, which is not the only one; the last row takes its index over."""
        last = len(self._widths) - 1
        order = [last if index == row else index for index in range(last)]
        self._widths, self._counts = ([values[index] for index in order] for values in (self._widths, self._counts))
        width, chosen = max(self._widths), mx.array(order)
        self._mean, self._squares, self._last = (array[chosen, :, :width] for array in self._state)
        self._arrange()

    @property
    def _count(self) -> mx.array:
        """Tokens of each row, float32 [rows, 1, 1]."""
        return mx.array(np.array(self._counts, np.float32))[:, None, None]

    @property
    def _state(self) -> tuple[mx.array, mx.array, mx.array]:
        return self._mean, self._squares, self._last

    def _arrange(self) -> None:
        """Make what depends on the places of the rows' audio."""
        widest = max(self._widths)
        mirrored = np.stack([_mirrored(width, widest) for width in self._widths])[:, None]
        self._mirrored = mx.broadcast_to(mx.array(mirrored), (*self._mean.shape[:2], mirrored.shape[-1]))
        """For the median: indices [rows, heads, widest + 2 HALF] that continue each row at both of its ends."""
        self._padding: mx.array | None = None
        """Additive [rows, 1, widest] where audio differs in length: NEVER after the end of a row's audio."""
        if min(self._widths) < widest:
            after = np.arange(widest) >= np.array(self._widths)[:, None]
            self._padding = mx.array(np.where(after, NEVER, 0.0).astype(np.float32)[:, None])


def _mirrored(width: int, widest: int) -> np.ndarray:
    index = np.abs(np.arange(-HALF, widest + HALF))
    index = np.where(index >= width, 2 * (width - 1) - index, index)
    return np.clip(index, 0, width - 1).astype(np.int32)


def _wide(array: mx.array, width: int) -> mx.array:
    """`array` [rows, heads, places] with zeros up to `width` places."""
    return mx.pad(array, [(0, 0), (0, 0), (0, width - array.shape[-1])])


@cache
def _compiled(chain: Callable[..., Any]) -> Callable[..., Any]:
    """For arrays of any sizes: those of a stream change with every pass over its audio."""
    return mx.compile(chain, shapeless=True)


def _moments(last: mx.array, mean: mx.array, squares: mx.array, count: mx.array) -> tuple[mx.array, mx.array]:
    """The mean and the sum of the squared distances from it with `last`, which is the one of number `count`."""
    after = mean + (last - mean) / count
    return after, squares + (last - mean) * (last - after)


def _standing(last: mx.array, mean: mx.array, squares: mx.array, count: mx.array) -> mx.array:
    """How far `last` is from the mean, in standard deviations."""
    return (last - mean) / mx.sqrt(mx.maximum(squares / count, LEAST_SPREAD))


EXCHANGES = ((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4))
"""Pairs of a network that brings the median of seven values to index 3: the smaller of each pair goes first."""


def _median(*values: mx.array) -> mx.array:
    """The median of seven arrays, element by element: a sort along a new axis is far slower."""
    ordered = list(values)
    for low, high in EXCHANGES:
        ordered[low], ordered[high] = (
            mx.minimum(ordered[low], ordered[high]),
            mx.maximum(ordered[low], ordered[high]),
        )
    return ordered[HALF]
