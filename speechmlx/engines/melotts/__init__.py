"""MeloTTS: text → speech at 44.1 kHz with the speakers of its own, in the one language of each checkpoint."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.melotts.engine import MeloTTS
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, MeloTTS]:
    """Load the engine from a folder with config.json, model.safetensors and bert/. Yields progress.

    Raises WeightsDamaged for weights that are not those of MeloTTS, or that are not finite numbers.
    """
    from speechmlx.engines.melotts.engine import build

    return (yield from build(folder, options))
