"""Kokoro-82M: text → speech at 24 kHz, sentence by sentence, in nine languages and 54 voices."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.kokoro.engine import Kokoro
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Kokoro]:
    """Load the engine from a folder with config.json, *.safetensors and voices/*.safetensors. Yields the progress."""
    from speechmlx.engines.kokoro.engine import build  # imported late: grapheme-to-phoneme conversion needs no mlx

    return (yield from build(folder, options))
