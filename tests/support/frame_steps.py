"""One frame after the other of a loop, without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speechmlx.engines.parts.batch_places import BatchPlaces, DrawnFrame, PlacedRow


def step(loop: BatchPlaces[Any, Any], rows: Sequence[PlacedRow], *inputs: Any) -> list[DrawnFrame]:
    """Launch the next frame of each of `rows`, and take those that may be read: of a loop that waits, one of each."""
    loop.launch(rows, *inputs)  # type: ignore[attr-defined]
    return [frame for row in rows for frame in loop.take(row)]
