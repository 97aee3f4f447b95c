"""The widths of a Mimi codec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any


@dataclass(frozen=True)
class MimiSizes:
    """Widths of all parts; the defaults are those of the published checkpoint."""

    dim: int = 512
    """Channels of a step between the convolutions and the transformers, 25 steps a second."""
    filters: int = 64
    """Channels after the first convolution; they double with each of the strides."""
    strides: tuple[int, ...] = (4, 5, 6, 8)
    layers: int = 8
    heads: int = 8
    feed_forward: int = 2048
    context: int = 250
    """Steps that a transformer attends to, the present one included."""
    codes: int = 8
    """Codebooks in use: the first is that of meaning, the others are residual. The checkpoint has 32."""
    code_dim: int = 256
    code_count: int = 2048
    """Entries of a codebook."""

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return 2 * prod(self.strides)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> MimiSizes:
        """The sizes that `config` names; others are the published ones."""
        known = {field.name for field in fields(cls)}
        named: dict[str, Any] = {name: value for name, value in config.items() if name in known}
        if "strides" in named:
            named["strides"] = tuple(named["strides"])
        return cls(**named)
