"""Whisper: batched transcription and live listening; `load` is the engine's import string."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from speechmlx.engines import LoadOptions
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.load import load_network
from speechmlx.types import Progress


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, Whisper]:
    """Load the Whisper in `folder` (config.json and weights of mlx-whisper's or Hugging Face's layout)."""
    network = yield from load_network(folder, options)
    return Whisper(network, [], options.device)
