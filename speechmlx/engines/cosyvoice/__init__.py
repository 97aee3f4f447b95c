"""CosyVoice 1 to 3: text → speech in the voice of a recording, or of speakers that 1 and 2 know; with instructions."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.cosyvoice.engine import CosyVoice
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, CosyVoice]:
    """Load the engine from a folder with config.json and *.safetensors; 2 and 3 have vocab.json and merges.txt too."""
    from speechmlx.engines.cosyvoice.loading import build  # imported late: it needs many parts

    return (yield from build(folder, options))
