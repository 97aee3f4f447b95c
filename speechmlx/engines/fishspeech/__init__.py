"""FishSpeech 1.5: text → speech at 44.1 kHz, in the voice of a recording or one of its own, in thirteen languages.

A transformer gives one token of a frame of 46 ms after the other, a smaller one completes each frame, and Firefly makes
it sound. Requests share the frames. `load` is the engine's import string.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.fishspeech.engine import FishSpeech
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, FishSpeech]:
    """Load the folder that models/convert/fishspeech.py makes. Yields the progress.

    Raises ModelUnavailable for what is no FishSpeech 1.5, WeightsDamaged for weights that do not fit or are no numbers.
    """
    from speechmlx.engines.fishspeech.loading import build  # imported late: it needs many parts

    return (yield from build(folder, options))
