"""Resampling as OmniVoice's and Higgs Audio's codec has it, a second at a time: a sinc under a Hann window.

The package computes a whole recording in one call, and an output sample in one turn of a loop.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from speechmlx.engines.mlx_audio import cooperative

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from speechmlx.types import Samples

CODEC, FUNCTION = "mlx_audio.codec.models.higgs_audio.higgs_audio", "_sinc_resample"
CROSSINGS, ROLLOFF = 6, 0.99
"""Zeros of the sinc on each side, and where it cuts: the part of half the lower rate."""


def install() -> None:
    """Let the package's codec, where it is imported, resample in short steps."""
    if CODEC in sys.modules:
        setattr(sys.modules[CODEC], FUNCTION, sinc_resample)


def sinc_resample(samples: Samples, source: int, target: int) -> Samples:
    """float32 [n] at `source` Hz → [ceil(n * target / source)] at `target` Hz. Gives control back after each second."""
    if source == target:
        return samples
    seconds = math.gcd(source, target)
    each, made = source // seconds, target // seconds
    kernels = _kernels(each, made)
    length, size = kernels.shape[1], math.ceil(len(samples) * made / each)
    margin = (length - each) // 2
    blocks = sliding_window_view(np.pad(samples, (margin, margin + each)), length)[::each]
    found = np.zeros((len(blocks), made), np.float32)
    for first in range(0, len(blocks), seconds):
        found[first : first + seconds] = blocks[first : first + seconds] @ kernels.T
        cooperative.rest()
    return found.reshape(-1)[:size]


def _kernels(each: int, made: int) -> NDArray[np.float32]:
    """Of `each` samples `made` become: the weights for each of these [made, length]."""
    cut = min(each, made) * ROLLOFF
    margin = math.ceil(CROSSINGS * each / cut)
    places = np.arange(-margin, margin + each) / each - np.arange(made)[:, None] / made
    places = np.clip(places * cut, -CROSSINGS, CROSSINGS)
    return (np.sinc(places) * np.cos(places * np.pi / CROSSINGS / 2) ** 2 * cut / each).astype(np.float32)
