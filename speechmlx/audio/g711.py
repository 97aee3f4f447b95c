"""G.711, 8 bit companding for telephony: µ-law and A-law, by tables from the formulas of ITU-T G.711."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

Law = Literal["ulaw", "alaw"]
SCALE = 32768.0
BIAS = 33 << 2
"""µ-law bias, added to the magnitude so that each segment begins at a power of two."""


def decode(data: bytes, law: Law) -> Samples:
    """n bytes → float32 [n] in [-1, 1)."""
    decoded: Samples = _levels(law)[np.frombuffer(data, np.uint8)]
    return decoded


def encode(samples: Samples, law: Law) -> bytes:
    """float32 [n] → n bytes, the code of the nearest level of each sample."""
    levels = _levels(law)
    order, edges = _nearest(law)
    found: bytes = order[np.searchsorted(edges, np.clip(samples, levels.min(), levels.max()))].tobytes()
    return found


@cache
def _levels(law: Law) -> Samples:
    """The value of each of the 256 codes."""
    code = np.arange(256)
    bits = ~code if law == "ulaw" else code ^ 0x55
    sign, segment, step = bits & 0x80, (bits >> 4) & 7, bits & 15
    if law == "ulaw":
        magnitude = (((step << 3) + BIAS) << segment) - BIAS
        values = np.where(sign, -magnitude, magnitude)
    else:
        magnitude = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 0x108) << np.maximum(segment - 1, 0))
        values = np.where(sign, magnitude, -magnitude)
    return (values / SCALE).astype(np.float32)


@cache
def _nearest(law: Law) -> tuple[NDArray[np.uint8], Samples]:
    """Codes sorted by value, and the thresholds half way between neighbours."""
    levels = _levels(law)
    order = np.argsort(levels, kind="stable").astype(np.uint8)
    edges: Samples = ((levels[order][1:] + levels[order][:-1]) / 2).astype(np.float32)
    return order, edges
