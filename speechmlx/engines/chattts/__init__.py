"""ChatTTS: text → speech of a conversation at 24 kHz, in Chinese and English, with breaks and laughter."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechmlx.engines import LoadOptions
    from speechmlx.engines.chattts.engine import ChatTts
    from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, ChatTts]:
    """Load the engine from a folder with config.json, *.safetensors and tokenizer.json. Yields the progress."""
    from speechmlx.engines.chattts.loading import build  # imported late: it needs many parts

    return (yield from build(folder, options))
