"""PyTorch's random numbers of a CPU, by numpy: models were published with a seed in the place of the numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Normal numbers are made in blocks of so many."""


def normal(seed: int, count: int) -> NDArray[np.float32]:
    """What `torch.manual_seed(seed); torch.randn(count)` gives, within 5e-7. `count` is at least BLOCK."""
    if count < BLOCK:
        raise ValueError(f"{count} normal numbers are made in another way; at least {BLOCK} are known")
    bits = np.random.MT19937()
    bits._legacy_seeding(seed)
    drawn = _uniform(bits, count)
    whole = count - count % BLOCK
    numbers = np.empty(count, np.float32)
    numbers[:whole] = _from_uniform(drawn[:whole])
    if whole < count:
        numbers[-BLOCK:] = _from_uniform(_uniform(bits, BLOCK))
    return numbers


def _uniform(bits: np.random.MT19937, count: int) -> NDArray[np.float32]:
    """Uniform numbers from 0 up to 1, of 24 random bits each."""
    raw = np.asarray(bits.random_raw(count), np.uint64) & np.uint64(0xFFFFFF)
    return raw.astype(np.float32) * np.float32(2**-24)


def _from_uniform(uniform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Box and Muller's transform of blocks: the first half of each gives radii, the second angles."""
    pairs = uniform.reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(-2 * np.log(1 - pairs[:, 0]))
    angle = np.float32(2 * np.pi) * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32).reshape(-1)
