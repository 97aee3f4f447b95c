"""The voices that came with a model."""

from __future__ import annotations

from pathlib import Path


def voices(folder: Path) -> tuple[str, ...]:
    """Names of the voices in a model's whole folder: a file of weights each; () for a model without."""
    return tuple(sorted(path.stem for path in folder.glob("voices/*.safetensors")))
