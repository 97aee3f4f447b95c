"""F5-TTS: text → speech at 24 kHz in the voice of a recording, in English and Chinese."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.f5.engine import F5
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, F5]:
    """Load the engine from a folder with config.json, vocab.txt, the weights, vocoder/ and voices/. Yields progress.

    Raises WeightsDamaged for weights that are not those of F5-TTS, or that are not finite numbers.
    """
    from speechmlx.engines.f5.engine import build

    return (yield from build(folder, options))
