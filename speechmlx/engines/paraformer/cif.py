"""Continuous integrate-and-fire: how the frames of a clip become tokens. Each frame carries a part of a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

TAIL = 0.45
"""The part of a token that is added behind the last frame: where more than half of one is left, it is a token."""


@dataclass(frozen=True)
class FiredTokens:
    """The tokens of a clip."""

    shares: Samples
    """[tokens, frames]: how much of each frame is in a token. A row comes to 1, or to less with the tail."""
    fires: tuple[int, ...]
    """The frame in which each token is full; the number of frames where it is full behind the last."""


def integrate(parts: NDArray[np.float64]) -> FiredTokens:
    """The parts of a token in each frame [t], each less than 1 → the tokens.

    Sums are of 64-bit numbers: with 32 bits a long clip would gain or lose a token.
    """
    ends = np.cumsum(np.append(parts, TAIL))
    count = int(ends[-1])
    begins = np.append(0.0, ends[:-1])
    tokens = np.arange(count)[:, None]
    shares = np.minimum(ends, tokens + 1) - np.maximum(begins, tokens)
    fires = np.searchsorted(ends, np.arange(1, count + 1))
    return FiredTokens(np.maximum(shares[:, :-1], 0).astype(np.float32), tuple(fires.tolist()))
