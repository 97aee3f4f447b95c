"""The widths of a Moshi model, and the streams of tokens that it reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

VOICED = 8
"""Codebooks of each of the two sounds: the model's, streams 1 to 8, and the person's, 9 to 16. Stream 0 is text."""
STREAMS = 1 + 2 * VOICED
DELAYS = (0, *(0, 1, 1, 1, 1, 1, 1, 1) * 2)
"""Frames by which a stream is behind the first ones."""


@dataclass(frozen=True)
class MoshiSizes:
    """Widths of the two transformers; the defaults are those of the published checkpoints."""

    dim: int = 4096
    layers: int = 32
    heads: int = 32
    context: int = 3000
    """Frames that it attends to: four minutes."""
    text_count: int = 32000
    """Text tokens; the embedding has one more, for before the beginning."""
    code_count: int = 2048
    """Codes of a codebook; the embeddings have one more."""
    depth: int = 8
    """Codebooks that it predicts: 8 are its own sound's, 16 the person's too."""
    depth_dim: int = 1024
    depth_layers: int = 6
    depth_heads: int = 16

    @property
    def hears_ahead(self) -> bool:
        """Whether a frame of the person is known while the same frame of the model is predicted, one frame later."""
        return self.depth > VOICED

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> MoshiSizes:
        """The sizes that `config` names; others are the published ones."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in config.items() if name in known})


def feed_forward(dim: int) -> int:
    """The width of the gated feed-forward part of a transformer of width `dim`."""
    return 2 * int(4.125 * dim) // 3
